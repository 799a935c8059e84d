#include "state/signal_statistics.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/byte_codec.h"
#include "state/state_store.h"

namespace bowerbird::state {

absl::StatusOr<SignalStatistics> CollectSignalStatistics(const StateStore& store, const signal::Set& signals,
                                                         uint64_t users_max) {
  SignalStatistics statistics;
  statistics.signals.resize(signals.size());
  std::optional<catalog::UserKey> last;  // of the sample, when it is not all
  catalog::UserKey newest;
  const std::unique_ptr<StateStore::Cursor> users = store.NewCursor(StateStore::kUsers);
  for (; users->valid() && !last.has_value(); users->Next()) {
    if (users->key().size() != sizeof(uint64_t)) continue;  // a lifelong block
    if (statistics.users == users_max) {
      last = newest;
      break;
    }
    newest = catalog::UserKey(base::GetBigEndian64(users->key().data()));
    ++statistics.users;
  }
  if (!users->status().ok()) return users->status();
  if (last.has_value()) statistics.share = std::max(static_cast<double>(last->value), 1.0) * 0x1.0p-64;

  const std::unique_ptr<StateStore::Cursor> at = store.NewCursor(StateStore::kSignals);
  for (; at->valid(); at->Next()) {
    catalog::UserKey user;
    uint64_t id = 0;
    if (!ParseSignalKey(at->key(), &user, &id)) return absl::DataLossError("state: signals: damaged key");
    if (last.has_value() && user > *last) break;
    for (size_t slot = 0; slot < signals.size(); ++slot) {
      if (signals[slot].id() != id) continue;
      SignalStatistics::One& one = statistics.signals[slot];
      ++one.users;
      one.bytes += at->key().size() + at->value().size();
      one.newest_us = std::max(one.newest_us, signal::Definition::NewestUs(at->value()));
    }
  }
  if (!at->status().ok()) return at->status();
  return statistics;
}

}  // namespace bowerbird::state
