#include "state/signal_statistics.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/byte_codec.h"
#include "base/status_macros.h"
#include "state/state_store.h"

namespace bowerbird::state {
namespace {

using One = SignalStatistics::One;

/// Which part of all keys is not above `last`.
double ShareUpTo(uint64_t last) { return std::max(static_cast<double>(last), 1.0) * 0x1.0p-64; }

void CountBytes(const StateStore::Cursor& at, One* one) {
  one->bytes += at.key().size() + at.value().size();
  one->newest_us = std::max(one->newest_us, signal::Definition::NewestUs(at.value()));
}

absl::Status CollectUsers(const StateStore& store, const signal::Set& signals, uint64_t users_max,
                          SignalStatistics* statistics) {
  std::optional<catalog::UserKey> last;  // of the sample, when it is not all
  catalog::UserKey newest;
  const std::unique_ptr<StateStore::Cursor> users = store.NewCursor(StateStore::kUsers);
  for (; users->valid() && !last.has_value(); users->Next()) {
    if (users->key().size() != sizeof(uint64_t)) continue;  // a lifelong block
    if (statistics->users == users_max) {
      last = newest;
      break;
    }
    newest = catalog::UserKey(base::GetBigEndian64(users->key().data()));
    ++statistics->users;
  }
  RETURN_IF_ERROR(users->status());
  if (last.has_value()) statistics->share = ShareUpTo(last->value);

  const std::unique_ptr<StateStore::Cursor> at = store.NewCursor(StateStore::kSignals, SignalPrefix({}));
  for (; at->valid(); at->Next()) {
    catalog::UserKey user;
    uint64_t id = 0;
    if (!ParseSignalKey(at->key(), &user, &id)) return absl::DataLossError("state: signals: damaged key");
    if (last.has_value() && user > *last) break;
    const std::optional<uint32_t> slot = signals.SlotOf(id);
    if (!slot.has_value()) continue;
    ++statistics->signals[*slot].holders;
    CountBytes(*at, &statistics->signals[*slot]);
  }
  return at->status();
}

absl::Status CollectItems(const StateStore& store, const signal::Set& signals, uint64_t items_max,
                          SignalStatistics* statistics) {
  std::vector<std::optional<catalog::ItemKey>> counted(signals.size());  // by slot, the last one
  std::optional<catalog::ItemKey> newest;
  const std::string prefix = ItemSignalPrefix();
  const std::unique_ptr<StateStore::Cursor> at = store.NewCursor(StateStore::kSignals, prefix);
  for (; at->valid() && at->key().starts_with(prefix); at->Next()) {
    catalog::ItemKey item;
    uint64_t id = 0;
    uint32_t partition = 0;
    if (!ParseItemSignalKey(at->key(), &item, &id, &partition)) {
      return absl::DataLossError("state: signals: damaged key");
    }
    const std::optional<uint32_t> slot = signals.SlotOf(id);
    if (!slot.has_value()) continue;
    if (newest != item) {
      if (statistics->items == items_max) {
        statistics->item_share = ShareUpTo(newest.has_value() ? newest->value : 0);
        break;
      }
      newest = item;
      ++statistics->items;
    }
    One& one = statistics->item_signals[*slot];
    if (counted[*slot] != item) ++one.holders;
    counted[*slot] = item;
    CountBytes(*at, &one);
  }
  return at->status();
}

}  // namespace

absl::StatusOr<SignalStatistics> CollectSignalStatistics(const StateStore& store, const signal::Set& signals,
                                                         const signal::Set& item_signals, uint64_t count_max) {
  SignalStatistics statistics;
  statistics.signals.resize(signals.size());
  statistics.item_signals.resize(item_signals.size());
  RETURN_IF_ERROR(CollectUsers(store, signals, count_max, &statistics));
  RETURN_IF_ERROR(CollectItems(store, item_signals, count_max, &statistics));
  return statistics;
}

}  // namespace bowerbird::state
