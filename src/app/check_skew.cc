#include "app/check_skew.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "app/check_item_skew.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "bowerbird/v1/served.pb.h"
#include "signal/definition.h"
#include "state/past_fold.h"

namespace bowerbird::app {
namespace {

constexpr size_t kReadRecords = 256;
constexpr size_t kReadBytes = 8u << 20;
/// Bytes of a value that a difference shows.
constexpr size_t kShownBytes = 48;

/// What of a served record is compared.
struct Request {
  uint64_t offset = 0;
  catalog::UserKey user;
  v1::ServedRecord record;  ///< without its candidates
};

/// Those of one partition in the order of the fold; `visit` sees each whole.
absl::StatusOr<std::vector<Request>> ReadRequests(const log::EventLog& log, uint32_t partition, int64_t from_us,
                                                  int64_t to_us,
                                                  const std::function<void(const v1::ServedRecord&)>& visit) {
  std::vector<Request> requests;
  ASSIGN_OR_RETURN(log::Offset at, log.BeginOffset(log::Topic::kServed, partition));
  while (true) {
    ASSIGN_OR_RETURN(const log::ReadResult read,
                     log.Read(log::Topic::kServed, partition, at, kReadRecords, kReadBytes));
    for (const log::Record& stored : read.records) {
      Request request;
      if (!request.record.ParseFromString(stored.value)) continue;
      if (request.record.time_us() < from_us || request.record.time_us() >= to_us) continue;
      if (request.record.redacted()) continue;
      visit(request.record);
      if (request.record.request().user().empty()) continue;
      request.record.clear_candidates();
      request.record.clear_eligible();
      request.offset = request.record.user_offset();
      request.user = catalog::UserKey(request.record.user_key());
      requests.push_back(std::move(request));
    }
    if (read.records.empty()) break;
    at = read.next_offset;
  }
  std::ranges::stable_sort(requests, {}, &Request::offset);
  return requests;
}

/// The least offset that a request was served at, by partition: up to there all partitions are folded beside each
/// other.
absl::StatusOr<std::vector<log::Offset>> FirstOffsets(const log::EventLog& log, int64_t from_us, int64_t to_us,
                                                      uint32_t partitions) {
  constexpr log::Offset kNone = std::numeric_limits<log::Offset>::max();
  std::vector<log::Offset> first(partitions, kNone);
  v1::ServedRecord record;
  for (uint32_t p = 0; p < log.PartitionCount(log::Topic::kServed); ++p) {
    ASSIGN_OR_RETURN(log::Offset at, log.BeginOffset(log::Topic::kServed, p));
    while (true) {
      ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(log::Topic::kServed, p, at, kReadRecords, kReadBytes));
      if (read.records.empty()) break;
      for (const log::Record& stored : read.records) {
        if (!record.ParseFromString(stored.value) || record.request().user().empty()) continue;
        if (record.time_us() < from_us || record.time_us() >= to_us) continue;
        log::Offset& of = first[catalog::PartitionOf(catalog::UserKey(record.user_key()), partitions)];
        of = std::min(of, record.user_offset());
      }
      at = read.next_offset;
    }
  }
  std::ranges::replace(first, kNone, log::Offset{0});
  return first;
}

std::string Shown(std::string_view value) {
  if (value.empty()) return "nothing";
  return fmt::format("{} bytes {}{}", value.size(), base::HexEncode(value.substr(0, kShownBytes)),
                     value.size() > kShownBytes ? "..." : "");
}

class Comparison {
 public:
  Comparison(SkewReport* report, const std::function<void(const std::string&)>& on_difference)
      : report_(report), on_difference_(on_difference) {}

  void Compare(const v1::ServedRecord& record, const state::UserState& again) {
    const signal::Set& signals = *again.signal_set;
    ++report_->requests;
    std::vector<bool> seen(signals.size());
    for (const v1::ServedSignal& served : record.signals()) {
      ++report_->compared;
      if (!served.value().empty()) ++report_->counted;
      size_t slot = 0;
      while (slot < signals.size() && signals[slot].signal().name != served.name()) ++slot;
      if (slot == signals.size()) {
        Differ(record, served, "the config has no such signal");
        continue;
      }
      seen[slot] = true;
      const std::string_view value = again.signals == nullptr ? std::string_view() : (*again.signals)[slot];
      if (served.id() != signals[slot].id()) {
        Differ(
            record, served,
            fmt::format("served under the meaning {:016x}, made again under {:016x} ({}): served {}, made again {}",
                        served.id(), signals[slot].id(), signals[slot].meaning(), Shown(served.value()), Shown(value)));
      } else if (served.value() != value) {
        Differ(record, served, fmt::format("served {}, made again {}", Shown(served.value()), Shown(value)));
      }
    }
    report_->not_served += static_cast<uint64_t>(std::count(seen.begin(), seen.end(), false));
  }

 private:
  void Differ(const v1::ServedRecord& record, const v1::ServedSignal& served, std::string_view what) {
    ++report_->differences;
    on_difference_(fmt::format("request {} of user {} at {} (offset {}, config {}): {}: {}", record.request_id(),
                               record.request().user(), base::FormatTimeUs(record.time_us()), record.user_offset(),
                               record.config_version(), served.name(), what));
  }

  SkewReport* const report_;
  const std::function<void(const std::string&)>& on_difference_;
};

}  // namespace

absl::StatusOr<SkewReport> CheckSkew(App& app, int64_t from_us, int64_t to_us, const std::string& scratch_dir,
                                     const std::function<void(const std::string&)>& on_difference) {
  const log::EventLog& log = app.history();
  const uint32_t partitions = log.PartitionCount(log::Topic::kEvents);
  std::vector<log::Offset> ends;
  for (uint32_t p = 0; p < partitions; ++p) {
    ASSIGN_OR_RETURN(const log::Offset begin, log.BeginOffset(log::Topic::kEvents, p));
    ASSIGN_OR_RETURN(const log::Offset end, log.EndOffset(log::Topic::kEvents, p));
    if (begin > 0) {
      return absl::FailedPreconditionError(fmt::format(
          "check skew: events of partition {} below offset {} have left the log, and are not in the lake", p, begin));
    }
    ends.push_back(end);
  }
  std::error_code ignored;
  std::filesystem::remove_all(scratch_dir, ignored);
  SkewReport report;
  {
    config::Config config = *app.config();
    std::erase_if(config.signals, [](const config::Signal& signal) { return signal.per_item; });
    ASSIGN_OR_RETURN(const auto past, state::PastFold::Open(state::RocksStateStores(), scratch_dir + "/users", config,
                                                            std::make_shared<const signal::Set>(config), &log, ends));
    Comparison comparison(&report, on_difference);
    PastTables tables(app.features().Get(), app.hasher());
    const auto compare_tables = [&](const v1::ServedRecord& record) {
      CompareTables(record, &tables, &report.tables, on_difference);
    };
    ASSIGN_OR_RETURN(std::vector<log::Offset> until, FirstOffsets(log, from_us, to_us, partitions));
    for (uint32_t p = 0; p < log.PartitionCount(log::Topic::kServed); ++p) {
      ASSIGN_OR_RETURN(const std::vector<Request> requests, ReadRequests(log, p, from_us, to_us, compare_tables));
      for (const Request& request : requests) {
        const uint32_t partition = catalog::PartitionOf(request.user, partitions);
        until[partition] = std::max(until[partition], request.offset);
        RETURN_IF_ERROR(past->FoldUntil(until));
        ASSIGN_OR_RETURN(const auto again, past->Get(request.user, request.record.request().user()));
        if (again->offset != request.offset) {
          return absl::FailedPreconditionError(
              fmt::format("check skew: request {} was served at offset {} of partition {}; the log ends at {}",
                          request.record.request_id(), request.offset, partition, again->offset));
        }
        comparison.Compare(request.record, *again);
      }
    }
    report.events = past->folded();
    report.differences += report.tables.differences;
  }
  RETURN_IF_ERROR(CheckItemSkew(app, from_us, to_us, scratch_dir, on_difference, &report));
  std::filesystem::remove_all(scratch_dir, ignored);
  return report;
}

}  // namespace bowerbird::app
