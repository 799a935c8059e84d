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
#include "state/fold.h"
#include "state/open_store.h"
#include "state/past_fold.h"

namespace bowerbird::state {
namespace {

using log::Offset;

/// Values that one write moves or drops.
constexpr uint64_t kBatchBytes = 4u << 20;

std::set<uint64_t> IdsOf(const signal::Set& signals) {
  std::set<uint64_t> ids;
  for (size_t slot = 0; slot < signals.size(); ++slot) ids.insert(signals[slot].id());
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
    uint64_t id = 0;
    if (!ParseSignalKey(at->key(), &user, &id)) return absl::DataLossError("state: signals: damaged key");
    value_of(id, at->value(), [&](std::string_view value) { batch->PutSignal(user, id, value); });
    if (batch->bytes() < kBatchBytes) continue;
    RETURN_IF_ERROR(to->Write(batch.get()));
    batch = to->NewBatch();
  }
  RETURN_IF_ERROR(at->status());
  return to->Write(batch.get());
}

absl::Status Backfill(const StateStores& stores, const std::string& dir, const config::Config& config,
                      std::shared_ptr<const signal::Set> added, const log::EventLog* log,
                      std::span<const Offset> offsets, StateStore* store) {
  ASSIGN_OR_RETURN(const auto past, PastFold::Open(stores, dir, config, std::move(added), log, offsets));
  RETURN_IF_ERROR(past->FoldUntil(offsets));
  return PutAll(past->store(), store, [](uint64_t, std::string_view value, const auto& put) { put(value); });
}

}  // namespace

absl::Status ForgetSignal(const StateStores& stores, const std::string& dir, const config::Config& config,
                          uint32_t partitions, uint64_t id) {
  const FoldPolicy policy(config);
  ASSIGN_OR_RETURN(const auto store, stores.Open(dir, {policy.user_layout(), policy.item_layout()}));
  RETURN_IF_ERROR(CheckFormat(*store, policy, partitions));
  ASSIGN_OR_RETURN(std::set<uint64_t> stored, StoredIds(*store));
  stored.erase(id);
  RETURN_IF_ERROR(PutLine(stored, store.get()));
  return store->Flush();
}

std::string SignalsLine(const signal::Set& signals) { return LineOf(IdsOf(signals)); }

absl::Status AdoptSignals(const StateStores& stores, const std::string& dir, const config::Config& config,
                          const signal::Set& signals, const log::EventLog* log, std::span<const Offset> offsets,
                          StateStore* store) {
  ASSIGN_OR_RETURN(const std::set<uint64_t> stored, StoredIds(*store));
  const std::set<uint64_t> wanted = IdsOf(signals);
  const std::string beside = dir + "_signals";
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
    config::Config with_added = config;
    std::erase_if(with_added.signals,
                  [&](const config::Signal& signal) { return kept.contains(signal::Definition(config, signal).id()); });
    RETURN_IF_ERROR(
        Backfill(stores, beside, with_added, std::make_shared<const signal::Set>(with_added), log, offsets, store));
    RETURN_IF_ERROR(PutLine(wanted, store));
  }
  RETURN_IF_ERROR(store->Flush());
  return stores.Destroy(beside);
}

}  // namespace bowerbird::state
