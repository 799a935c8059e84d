#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "catalog/item_stamp.h"
#include "catalog/keys.h"

namespace bowerbird::catalog {

/// Stamps of the items that events were about lately, unknown items too, so that a stream of events about them does not
/// reach the store.
///
/// Threads  any thread at once.
/// Cost     a hit: one lock of one of 64 shards and a reference count (catalog_bench).
/// Bounds   `bytes_max` in all, each shard its part; what was not used for longest goes first, about.
class StampCache {
 public:
  using Stamp = std::shared_ptr<const ItemStamp>;
  /// Reads the item from the store: null for an unknown item, nothing when the store fails.
  using Load = std::function<std::optional<Stamp>(ItemKey)>;

  StampCache(uint64_t bytes_max, Load load);
  ~StampCache();

  /// Null for an unknown item, and when the store fails.
  Stamp Get(ItemKey key);
  /// Called after the store changed. No Get that began before it leaves an older stamp behind.
  void Invalidate(ItemKey key);
  uint64_t bytes() const;

 private:
  struct Shard;
  Shard& ShardOf(ItemKey key) const;
  const Load load_;
  const uint64_t shard_bytes_max_;
  const std::unique_ptr<Shard[]> shards_;
};

}  // namespace bowerbird::catalog
