#include "app/check_item_skew.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "bowerbird/v1/served.pb.h"
#include "serve/item_signals.h"
#include "signal/definition.h"
#include "state/past_fold.h"

namespace bowerbird::app {
namespace {

using log::Offset;
using log::Topic;

constexpr size_t kReadRecords = 256;
constexpr size_t kReadBytes = 8u << 20;

/// Where a record lies that shows items with their signals, and from which table they were.
struct Served {
  uint64_t table = 0;
  uint32_t partition = 0;
  Offset offset = 0;
  friend auto operator<=>(const Served&, const Served&) = default;
};

absl::Status ForEachRecord(const log::EventLog& log, Topic topic, uint32_t partition,
                           const std::function<void(const log::Record&)>& visit) {
  ASSIGN_OR_RETURN(Offset at, log.BeginOffset(topic, partition));
  while (true) {
    ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(topic, partition, at, kReadRecords, kReadBytes));
    if (read.records.empty()) return absl::OkStatus();
    for (const log::Record& record : read.records) visit(record);
    at = read.next_offset;
  }
}

absl::StatusOr<std::vector<Served>> FindServed(const log::EventLog& log, int64_t from_us, int64_t to_us) {
  std::vector<Served> all;
  v1::ServedRecord record;
  for (uint32_t p = 0; p < log.PartitionCount(Topic::kServed); ++p) {
    RETURN_IF_ERROR(ForEachRecord(log, Topic::kServed, p, [&](const log::Record& stored) {
      if (!record.ParseFromString(stored.value) || record.item_signals().empty()) return;
      if (record.time_us() < from_us || record.time_us() >= to_us) return;
      all.push_back({record.item_table(), p, stored.offset});
    }));
  }
  std::ranges::sort(all);
  return all;
}

using OffsetsByTable = std::map<uint64_t, std::vector<Offset>>;

/// Of the tables that `served` were answered from.
absl::StatusOr<OffsetsByTable> FindTables(const log::EventLog& log, const std::vector<Served>& served) {
  const uint32_t partitions = log.PartitionCount(Topic::kEvents);
  OffsetsByTable tables;
  v1::ItemTableRecord table;
  RETURN_IF_ERROR(ForEachRecord(log, Topic::kItemTables, 0, [&](const log::Record& stored) {
    if (!table.ParseFromString(stored.value)) return;
    if (!std::ranges::binary_search(served, table.version(), {}, &Served::table)) return;
    std::vector<Offset> offsets(table.offsets().begin(), table.offsets().end());
    offsets.resize(partitions, 0);
    tables.emplace(table.version(), std::move(offsets));
  }));
  for (const Served& one : served) {
    if (tables.contains(one.table)) continue;
    return absl::FailedPreconditionError(fmt::format("check skew: item table {} is not in the log", one.table));
  }
  return tables;
}

bool NotBefore(const std::vector<Offset>& later, const std::vector<Offset>& earlier) {
  for (size_t p = 0; p < later.size(); ++p) {
    if (later[p] < earlier[p]) return false;
  }
  return true;
}

/// Tables that one fold meets one after the other. Those of several nodes, and of a state that was made anew, need more
/// than one.
std::vector<std::vector<OffsetsByTable::const_iterator>> Chains(const OffsetsByTable& tables) {
  std::vector<std::vector<OffsetsByTable::const_iterator>> chains;
  for (auto table = tables.begin(); table != tables.end(); ++table) {
    const auto follows = [&](const auto& chain) { return NotBefore(table->second, chain.back()->second); };
    const auto chain = std::ranges::find_if(chains, follows);
    if (chain != chains.end()) {
      chain->push_back(table);
    } else {
      chains.push_back({table});
    }
  }
  return chains;
}

std::string Shown(const v1::ServedItemValue* served) {
  if (served == nullptr || (served->value().empty() && served->hash() == 0)) return "nothing";
  if (served->value().empty()) return fmt::format("a value with the hash {:016x}", served->hash());
  return fmt::format("{} bytes {}", served->value().size(), base::HexEncode(served->value()));
}

std::string Shown(std::string_view value) {
  if (value.empty()) return "nothing";
  if (value.size() > serve::kServedValueBytesMax)
    return fmt::format("a value with the hash {:016x}", base::Hash64(value));
  return fmt::format("{} bytes {}", value.size(), base::HexEncode(value));
}

/// Compares the records of one table after the other with a fold that is there.
class Comparison {
 public:
  Comparison(const signal::Set& signals, const std::function<void(const std::string&)>& on_difference,
             SkewReport* report)
      : signals_(signals), on_difference_(on_difference), report_(report) {}

  void BeginTable() { values_.clear(); }

  absl::Status Compare(const v1::ServedRecord& record, state::PastFold* past) {
    std::vector<bool> seen(signals_.size());
    for (const v1::ServedItemSignal& served : record.item_signals()) {
      const signal::Definition* const now = signals_.Find(served.name());
      if (now != nullptr) seen[static_cast<size_t>(now - &signals_[0])] = true;
    }
    const auto missing = static_cast<uint64_t>(std::count(seen.begin(), seen.end(), false));
    for (const v1::ServedCandidate& candidate : record.candidates()) {
      if (candidate.position() == 0) continue;
      ++report_->items;
      report_->not_served += missing;
      ASSIGN_OR_RETURN(const std::vector<std::string>* const again, Again(candidate.item_key(), past));
      for (int i = 0; i < record.item_signals_size(); ++i) {
        const v1::ServedItemValue* const value = i < candidate.item_values_size() ? &candidate.item_values(i) : nullptr;
        CompareOne(record, candidate, record.item_signals(i), value, *again);
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<const std::vector<std::string>*> Again(uint64_t item, state::PastFold* past) {
    auto found = values_.find(item);
    if (found == values_.end()) {
      ASSIGN_OR_RETURN(std::vector<std::string> values, past->ItemSignals(catalog::ItemKey(item)));
      found = values_.emplace(item, std::make_unique<std::vector<std::string>>(std::move(values))).first;
    }
    return found->second.get();
  }

  void CompareOne(const v1::ServedRecord& record, const v1::ServedCandidate& candidate,
                  const v1::ServedItemSignal& served, const v1::ServedItemValue* value,
                  const std::vector<std::string>& again) {
    ++report_->item_values;
    if (Shown(value) != "nothing") ++report_->item_values_counted;
    const signal::Definition* const now = signals_.Find(served.name());
    if (now == nullptr) return Differ(record, candidate, served, "the config has no such signal per item");
    const std::string& made = again[static_cast<size_t>(now - &signals_[0])];
    if (now->id() != served.id()) {
      return Differ(record, candidate, served,
                    fmt::format("served under the meaning {:016x}, made again under {:016x} ({}): served {}, made "
                                "again {}",
                                served.id(), now->id(), now->meaning(), Shown(value), Shown(made)));
    }
    const bool equal = value == nullptr ? made.empty() : serve::IsServedValue(*value, made);
    if (equal) return;
    Differ(record, candidate, served, fmt::format("served {}, made again {}", Shown(value), Shown(made)));
  }

  void Differ(const v1::ServedRecord& record, const v1::ServedCandidate& candidate, const v1::ServedItemSignal& served,
              std::string_view what) {
    ++report_->differences;
    on_difference_(fmt::format("request {} at {} (item table {}, config {}): item {}: {}: {}", record.request_id(),
                               base::FormatTimeUs(record.time_us()), record.item_table(), record.config_version(),
                               candidate.item(), served.name(), what));
  }

  const signal::Set& signals_;
  const std::function<void(const std::string&)>& on_difference_;
  SkewReport* const report_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<std::vector<std::string>>> values_;  ///< of the table's items
};

absl::Status CompareTable(const log::EventLog& log, std::span<const Served> of_table, state::PastFold* past,
                          Comparison* comparison) {
  comparison->BeginTable();
  v1::ServedRecord record;
  for (const Served& one : of_table) {
    ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(Topic::kServed, one.partition, one.offset, 1, 1));
    if (read.records.empty() || read.records.front().offset != one.offset) continue;  // retention took it meanwhile
    if (!record.ParseFromString(read.records.front().value)) continue;
    RETURN_IF_ERROR(comparison->Compare(record, past));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckItemSkew(App& app, int64_t from_us, int64_t to_us, const std::string& scratch_dir,
                           const std::function<void(const std::string&)>& on_difference, SkewReport* report) {
  const log::EventLog& log = app.history();
  ASSIGN_OR_RETURN(const std::vector<Served> served, FindServed(log, from_us, to_us));
  if (served.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const OffsetsByTable tables, FindTables(log, served));
  config::Config config = *app.config();
  std::erase_if(config.signals, [](const config::Signal& signal) { return !signal.per_item; });
  const signal::Set signals(config, signal::Per::kItem);
  const auto per_user = std::make_shared<const signal::Set>(config);
  Comparison comparison(signals, on_difference, report);
  const auto chains = Chains(tables);
  for (size_t i = 0; i < chains.size(); ++i) {
    ASSIGN_OR_RETURN(const auto past,
                     state::PastFold::Open(state::RocksStateStores(), fmt::format("{}/items{}", scratch_dir, i), config,
                                           per_user, &log, chains[i].back()->second));
    for (const auto& table : chains[i]) {
      RETURN_IF_ERROR(past->FoldUntil(table->second));
      if (past->Offsets() != table->second) {
        return absl::FailedPreconditionError(
            fmt::format("check skew: item table {} was made of events that the log does not have", table->first));
      }
      const auto of_table = std::ranges::equal_range(served, table->first, {}, &Served::table);
      RETURN_IF_ERROR(CompareTable(log, {of_table.begin(), of_table.end()}, past.get(), &comparison));
    }
    report->events += past->folded();
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::app
