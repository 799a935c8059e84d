#include "collect/hide_overlay.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace bowerbird::collect {
namespace {
constexpr uint64_t kShards = 16;
}  // namespace

struct alignas(64) HideOverlay::Shard {
  struct Entry {
    catalog::UserKey user;
    Hide hide;
  };
  using Entries = std::list<Entry>;
  mutable std::mutex mutex;
  Entries by_age;  ///< oldest first
  absl::flat_hash_map<catalog::UserKey, std::vector<Entries::iterator>> by_user;
  uint64_t dropped = 0;

  void DropOldest() {
    const auto user = by_user.find(by_age.front().user);
    std::erase(user->second, by_age.begin());
    if (user->second.empty()) by_user.erase(user);
    by_age.pop_front();
    ++dropped;
  }
};

HideOverlay::HideOverlay(uint64_t hides_max)
    : shard_hides_max_(std::max<uint64_t>(1, hides_max / kShards)), shards_(new Shard[kShards]) {}

HideOverlay::~HideOverlay() = default;

HideOverlay::Shard& HideOverlay::ShardOf(catalog::UserKey user) const { return shards_[user.value % kShards]; }

void HideOverlay::Add(catalog::UserKey user, std::string_view item, catalog::ItemKey key, uint64_t offset) {
  Shard& shard = ShardOf(user);
  const std::lock_guard lock(shard.mutex);
  if (shard.by_age.size() >= shard_hides_max_) shard.DropOldest();
  shard.by_age.push_back({user, {std::string(item), key, offset}});
  shard.by_user[user].push_back(std::prev(shard.by_age.end()));
}

void HideOverlay::Undo(catalog::UserKey user, catalog::ItemKey key, uint64_t offset) {
  Shard& shard = ShardOf(user);
  const std::lock_guard lock(shard.mutex);
  const auto it = shard.by_user.find(user);
  if (it == shard.by_user.end()) return;
  std::erase_if(it->second, [&](Shard::Entries::iterator entry) {
    if (entry->hide.key != key || entry->hide.offset >= offset) return false;
    shard.by_age.erase(entry);
    return true;
  });
  if (it->second.empty()) shard.by_user.erase(it);
}

std::vector<HideOverlay::Hide> HideOverlay::Unfolded(catalog::UserKey user, uint64_t folded_offset) {
  Shard& shard = ShardOf(user);
  const std::lock_guard lock(shard.mutex);
  std::vector<Hide> hides;
  const auto it = shard.by_user.find(user);
  if (it == shard.by_user.end()) return hides;
  std::erase_if(it->second, [&](Shard::Entries::iterator entry) {
    if (entry->hide.offset < folded_offset) {
      shard.by_age.erase(entry);
      return true;
    }
    hides.push_back(entry->hide);
    return false;
  });
  if (it->second.empty()) shard.by_user.erase(it);
  // Acknowledgements may have arrived out of order.
  std::sort(hides.begin(), hides.end(), [](const Hide& a, const Hide& b) { return a.offset < b.offset; });
  return hides;
}

uint64_t HideOverlay::size() const {
  uint64_t size = 0;
  for (uint64_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    size += shards_[i].by_age.size();
  }
  return size;
}

uint64_t HideOverlay::dropped() const {
  uint64_t dropped = 0;
  for (uint64_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    dropped += shards_[i].dropped;
  }
  return dropped;
}

}  // namespace bowerbird::collect
