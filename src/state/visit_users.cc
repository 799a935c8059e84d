#include "state/visit_users.h"

#include <utility>
#include <vector>

#include "base/byte_codec.h"
#include "base/status_macros.h"
#include "state/state_store.h"
#include "state/user_record.h"
#include "state/user_signals.h"

namespace bowerbird::state {
namespace {

constexpr size_t kAtOnce = 256;

}  // namespace

absl::Status VisitStoredUsers(const StateStore& store, const std::shared_ptr<const signal::Set>& signals,
                              uint32_t sequence_max, catalog::UserKey from,
                              const std::function<bool(const UserState&)>& visit) {
  const auto at = store.NewCursor(StateStore::kUsers, UserKeyBytes(from));
  while (at->valid()) {
    std::vector<std::shared_ptr<UserState>> users;
    std::vector<catalog::UserKey> keys;
    for (; at->valid() && users.size() < kAtOnce; at->Next()) {
      if (at->key().size() != sizeof(uint64_t)) continue;  // a lifelong block
      ASSIGN_OR_RETURN(const UserRecord record, DecodeUserRecord(at->value()));
      if (!record.becomes.empty()) continue;
      keys.emplace_back(base::GetBigEndian64(at->key().data()));
      users.push_back(MakeUserState(keys.back(), record, sequence_max));
      users.back()->signal_set = signals;
    }
    if (!signals->empty()) {
      ASSIGN_OR_RETURN(const auto stored, store.LoadSignals(keys));
      for (size_t i = 0; i < users.size(); ++i) {
        if (stored[i].empty()) continue;
        ASSIGN_OR_RETURN(const UserSignals values, UserSignals::FromStored(*signals, stored[i]));
        users[i]->signals = std::make_shared<const std::vector<std::string>>(values.values());
      }
    }
    for (const auto& user : users) {
      if (!visit(*user)) return absl::OkStatus();
    }
  }
  return at->status();
}

}  // namespace bowerbird::state
