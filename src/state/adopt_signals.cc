#include "state/adopt_signals.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "fmt/format.h"
#include "signal/definition.h"
#include "state/fold.h"
#include "state/open_store.h"
#include "state/past_fold.h"

namespace bowerbird::state {
namespace {

using log::Offset;

/// Values that one write moves or drops.
constexpr uint64_t kBatchBytes = 4u << 20;

std::set<uint64_t> IdsOf(const config::Config& config) {
  std::set<uint64_t> ids;
  for (const config::Signal& signal : config.signals) ids.insert(signal::Definition(config, signal).id());
  return ids;
}

std::string LineOf(const std::set<uint64_t>& ids) {
  std::string line;
  for (const uint64_t id : ids) fmt::format_to(std::back_inserter(line), "{}{:016x}", line.empty() ? "" : " ", id);
  return line;
}

absl::StatusOr<std::set<uint64_t>> StoredIds(const StateStore& store) {
  ASSIGN_OR_RETURN(const std::string line, store.LoadFormat(kSignalsFormat));
  std::set<uint64_t> ids;
  for (const absl::string_view text : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    uint64_t id = 0;
    if (!absl::SimpleHexAtoi(text, &id)) return absl::DataLossError("state: the line of signals is damaged");
    ids.insert(id);
  }
  return ids;
}

absl::Status PutLine(const std::set<uint64_t>& ids, StateStore* store) {
  const std::unique_ptr<StateStore::Batch> batch = store->NewBatch();
  batch->PutFormat(kSignalsFormat, LineOf(ids));
  return store->Write(batch.get());
}

/// Goes over the values of `from`; of each `value_of` may put one into `to`, and an empty one takes it away there.
absl::Status PutAll(const StateStore& from, StateStore* to, const auto& value_of) {
  std::unique_ptr<StateStore::Batch> batch = to->NewBatch();
  const std::unique_ptr<StateStore::Cursor> at = from.NewCursor(StateStore::kSignals);
  for (; at->valid(); at->Next()) {
    catalog::UserKey user;
    catalog::ItemKey item;
    uint64_t id = 0;
    uint32_t partition = 0;
    if (ParseSignalKey(at->key(), &user, &id)) {
      value_of(id, at->value(), [&](std::string_view value) { batch->PutSignal(user, id, value); });
    } else if (ParseItemSignalKey(at->key(), &item, &id, &partition)) {
      value_of(id, at->value(), [&](std::string_view value) { batch->PutItemSignal(item, id, partition, value); });
    } else {
      return absl::DataLossError("state: signals: damaged key");
    }
    if (batch->bytes() < kBatchBytes) continue;
    RETURN_IF_ERROR(to->Write(batch.get()));
    batch = to->NewBatch();
  }
  RETURN_IF_ERROR(at->status());
  return to->Write(batch.get());
}

std::string Beside(const std::string& dir) { return dir + "_signals"; }

/// `config` with those of its signals that are not among `kept`.
config::Config WithAdded(const config::Config& config, const std::set<uint64_t>& kept) {
  config::Config with_added = config;
  std::erase_if(with_added.signals,
                [&](const config::Signal& signal) { return kept.contains(signal::Definition(config, signal).id()); });
  return with_added;
}

absl::Status Backfill(const StateStores& stores, const std::string& dir, const config::Config& config,
                      const log::EventLog* log, std::span<const Offset> offsets, StateStore* store) {
  ASSIGN_OR_RETURN(const auto past,
                   PastFold::Open(stores, dir, config, std::make_shared<const signal::Set>(config), log, offsets));
  RETURN_IF_ERROR(past->FoldUntil(offsets));
  return PutAll(past->store(), store, [](uint64_t, std::string_view value, const auto& put) { put(value); });
}

}  // namespace

absl::Status ForgetSignal(const StateStores& stores, const std::string& dir, const config::Config& config,
                          uint32_t partitions, uint64_t id, const PartitionRange& owned) {
  const FoldPolicy policy(config);
  ASSIGN_OR_RETURN(const auto store, stores.Open(dir, {policy.user_layout(), policy.item_layout()}));
  RETURN_IF_ERROR(CheckFormat(*store, policy, partitions, owned));
  ASSIGN_OR_RETURN(std::set<uint64_t> stored, StoredIds(*store));
  stored.erase(id);
  RETURN_IF_ERROR(PutLine(stored, store.get()));
  return store->Flush();
}

absl::Status FoldSignalsAhead(const StateStores& stores, const std::string& dir, const config::Config& config,
                              const config::Config& held, const log::EventLog* log, std::span<const Offset> offsets) {
  config::Config with_added = WithAdded(config, IdsOf(held));
  if (with_added.signals.empty()) return absl::OkStatus();
  with_added.state.cache_bytes /= 4;
  ASSIGN_OR_RETURN(const auto past, PastFold::Open(stores, Beside(dir), with_added,
                                                   std::make_shared<const signal::Set>(with_added), log, offsets));
  RETURN_IF_ERROR(past->FoldUntil(offsets));
  return past->Flush();
}

std::string SignalsLine(const config::Config& config) { return LineOf(IdsOf(config)); }

absl::Status AdoptSignals(const StateStores& stores, const std::string& dir, const config::Config& config,
                          const log::EventLog* log, std::span<const Offset> offsets, StateStore* store) {
  ASSIGN_OR_RETURN(const std::set<uint64_t> stored, StoredIds(*store));
  const std::set<uint64_t> wanted = IdsOf(config);
  const std::string beside = Beside(dir);
  if (stored == wanted) return stores.Exists(beside) ? stores.Destroy(beside) : absl::OkStatus();
  const bool folded = std::ranges::any_of(offsets, [](Offset offset) { return offset > 0; });
  if (!folded) return PutLine(wanted, store);

  // A signal is in the line only while all of its values are in. So first the line loses those that go, then their
  // values; and what an interrupted call has left of those that come.
  std::set<uint64_t> kept;
  std::ranges::set_intersection(stored, wanted, std::inserter(kept, kept.end()));
  if (kept != stored) RETURN_IF_ERROR(PutLine(kept, store));
  RETURN_IF_ERROR(PutAll(*store, store, [&](uint64_t id, std::string_view, const auto& put) {
    if (!kept.contains(id)) put({});
  }));
  if (kept != wanted) {
    const config::Config with_added = WithAdded(config, kept);
    RETURN_IF_ERROR(Backfill(stores, beside, with_added, log, offsets, store));
    RETURN_IF_ERROR(PutLine(wanted, store));
  }
  RETURN_IF_ERROR(store->Flush());
  return stores.Destroy(beside);
}

}  // namespace bowerbird::state
