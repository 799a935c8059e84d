#include "catalog/stamp_cache.h"

#include <list>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace bowerbird::catalog {
namespace {
constexpr uint32_t kShards = 64;
}  // namespace

struct alignas(64) StampCache::Shard {
  struct Entry {
    Stamp stamp;
    std::list<ItemKey>::iterator age;
    uint32_t bytes = 0;
    bool used = false;  ///< since it came to the front
  };
  mutable std::mutex mutex;
  /// Evicted from the back; one that was used meanwhile goes to the front again (second chance). A hit moves nothing,
  /// and touches nothing but its entry.
  std::list<ItemKey> by_age;
  absl::flat_hash_map<ItemKey, Entry> entries;
  uint64_t bytes = 0;
  uint64_t invalidations = 0;

  void Erase(absl::flat_hash_map<ItemKey, Entry>::iterator entry) {
    bytes -= entry->second.bytes;
    by_age.erase(entry->second.age);
    entries.erase(entry);
  }
};

StampCache::StampCache(uint64_t bytes_max, Load load)
    : load_(std::move(load)), shard_bytes_max_(bytes_max / kShards), shards_(new Shard[kShards]) {}

StampCache::~StampCache() = default;

StampCache::Shard& StampCache::ShardOf(ItemKey key) const { return shards_[key.value % kShards]; }

StampCache::Stamp StampCache::Get(ItemKey key) {
  Shard& shard = ShardOf(key);
  uint64_t invalidations = 0;
  {
    const std::lock_guard lock(shard.mutex);
    if (const auto it = shard.entries.find(key); it != shard.entries.end()) {
      it->second.used = true;
      return it->second.stamp;
    }
    invalidations = shard.invalidations;
  }
  std::optional<Stamp> loaded = load_(key);
  if (!loaded) return nullptr;
  // The list node and the table's slot come on top of the stamp.
  const size_t bytes = 96 + (*loaded ? (*loaded)->Bytes() : 0);
  const std::lock_guard lock(shard.mutex);
  // The item may have changed after it was read.
  if (shard.invalidations != invalidations || bytes > shard_bytes_max_) return *loaded;
  if (shard.entries.contains(key)) return *loaded;
  shard.by_age.push_front(key);
  shard.entries[key] = {*loaded, shard.by_age.begin(), static_cast<uint32_t>(bytes)};
  shard.bytes += bytes;
  while (shard.bytes > shard_bytes_max_) {
    const auto oldest = shard.entries.find(shard.by_age.back());
    if (oldest->second.used) {
      oldest->second.used = false;
      shard.by_age.splice(shard.by_age.begin(), shard.by_age, oldest->second.age);
    } else {
      shard.Erase(oldest);
    }
  }
  return *loaded;
}

void StampCache::Invalidate(ItemKey key) {
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  ++shard.invalidations;
  if (const auto it = shard.entries.find(key); it != shard.entries.end()) shard.Erase(it);
}

uint64_t StampCache::bytes() const {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    bytes += shards_[i].bytes;
  }
  return bytes;
}

}  // namespace bowerbird::catalog
