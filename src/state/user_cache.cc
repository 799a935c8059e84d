#include "state/user_cache.h"

#include <algorithm>
#include <utility>

namespace bowerbird::state {
namespace {

// Hash table slot, list node and allocator overhead of one user.
constexpr size_t kOverheadBytes = 128;
// Users that one Evict spares because they were used since it last met them.
constexpr size_t kSparedMax = 1024;
// Unwritten users that one Evict looks past: a long row of them waits for the next write.
constexpr size_t kUnwrittenPassedMax = 256;

size_t MemoryBytes(const UserState& view) {
  size_t bytes = sizeof(UserState) + view.actions.capacity() * sizeof(Action) +
                 view.seen.capacity() * sizeof(SeenItem) + view.hidden.capacity() * sizeof(catalog::ItemKey) +
                 view.affinities.capacity() * sizeof(Affinity);
  for (const CollectionState& collection : view.collections) {
    bytes += sizeof(collection) + collection.items.capacity() * sizeof(catalog::ItemKey);
  }
  if (view.signals != nullptr) {
    bytes += view.signals->capacity() * sizeof(std::string);
    for (const std::string& value : *view.signals) bytes += value.size();
  }
  return bytes;
}

size_t MemoryBytes(const CachedUser& user) {
  return kOverheadBytes + sizeof(CachedUser) + user.record.MemoryBytes() + user.pending_ops.capacity() +
         (user.pending_blocks.size() + user.blocks_being_written.size()) *
             (sizeof(SpilledBlock) + kLifelongBlock * sizeof(Action)) +
         (user.signals == nullptr ? 0 : user.signals->MemoryBytes()) +
         (user.view == nullptr ? 0 : MemoryBytes(*user.view));
}

}  // namespace

UserCache::~UserCache() {
  for (const auto& [key, user] : users_) budget_->bytes -= static_cast<int64_t>(user->charged_bytes);
  budget_->users -= static_cast<int64_t>(users_.size());
}

CachedUser* UserCache::Find(catalog::UserKey key) {
  const auto found = users_.find(key);
  if (found == users_.end()) return nullptr;
  found->second->used = true;
  return found->second.get();
}

CachedUser* UserCache::Insert(catalog::UserKey key, UserRecord record, std::unique_ptr<UserSignals> signals) {
  auto owned = std::make_unique<CachedUser>();
  CachedUser* user = owned.get();
  user->key = key;
  user->record = std::move(record);
  user->signals = std::move(signals);
  user->age = ages_.insert(ages_.end(), user);
  users_.emplace(key, std::move(owned));
  ++budget_->users;
  Charge(user);
  return user;
}

void UserCache::Charge(CachedUser* user) {
  const size_t bytes = MemoryBytes(*user);
  budget_->bytes += static_cast<int64_t>(bytes) - static_cast<int64_t>(user->charged_bytes);
  user->charged_bytes = bytes;
}

void UserCache::Prefetch(const CachedUser& user, const v1::Event& event) {
  if (event.dedupe_print() != 0) user.record.prints.Prefetch(event.dedupe_print());
  if (event.type() == "impression") user.record.seen.Prefetch(catalog::ItemKey(event.item_key()));
  if (!user.record.actions.empty()) __builtin_prefetch(&user.record.actions.back(), 1);
  __builtin_prefetch(user.pending_ops.data() + user.pending_ops.size(), 1);
}

void UserCache::MarkDirty(CachedUser* user) {
  if (user->listed_dirty) return;
  user->listed_dirty = true;
  dirty_.push_back(user);
}

std::vector<CachedUser*> UserCache::TakeDirty() {
  for (CachedUser* user : dirty_) {
    user->listed_dirty = false;
    user->being_written = true;
  }
  // Compared by keys that lie together.
  std::vector<std::pair<catalog::UserKey, CachedUser*>> by_key;
  by_key.reserve(dirty_.size());
  for (CachedUser* user : dirty_) by_key.emplace_back(user->key, user);
  std::ranges::sort(by_key);
  std::ranges::transform(by_key, dirty_.begin(), [](const auto& entry) { return entry.second; });
  return std::exchange(dirty_, {});
}

size_t UserCache::Evict(size_t users_max) {
  size_t evicted = 0, passed = 0, spared_now = 0;
  for (auto at = ages_.begin(); at != ages_.end() && evicted < users_max && passed < kUnwrittenPassedMax;) {
    CachedUser* user = *at;
    if (user->listed_dirty || user->being_written) {
      ++at;
      ++passed;
      continue;
    }
    if (user->used) {
      user->used = false;
      const auto spared = at++;
      ages_.splice(ages_.end(), ages_, spared);
      if (++spared_now > kSparedMax) break;
      continue;
    }
    at = ages_.erase(at);
    budget_->bytes -= static_cast<int64_t>(user->charged_bytes);
    --budget_->users;
    users_.erase(user->key);
    ++evicted;
  }
  if (evicted > 0) ++evictions_;
  return evicted;
}

}  // namespace bowerbird::state
