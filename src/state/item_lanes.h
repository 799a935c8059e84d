#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "bowerbird/v1/event.pb.h"
#include "catalog/keys.h"
#include "signal/definition.h"
#include "state/state_store.h"
#include "state/user_cache.h"

namespace bowerbird::state {

/// What one partition has counted of an item for one signal.
struct ItemLane {
  uint32_t slot = 0;  ///< in the set of signals per item
  uint32_t partition = 0;
  std::string value;
};

/// The signals per item. Each partition folds a value of its own of each item and signal, a lane, in the order of its
/// events: so lanes are the same however the partitions were interleaved. What an item has is made of its lanes
/// (item_signal_table.h).
///
/// An item is in memory with all of its lanes, or the store has all of it. Beside what a lane is now it is known what
/// it was when its partition was last taken into the item table, so that a table is of one offset of each partition
/// while they fold on.
///
/// Threads  any; one lock for each of kShards shards of the items, held for a fold, and for the read of an item whose
///          lanes a table needs, or that was evicted between Bring and Fold.
/// Bounds   the budget, kept by calls of TryEvict; items with lanes that are not written or not taken stay.
/// Errors   those of the store. DataLoss: a value is damaged.
class ItemLanes {
 public:
  struct Place {
    catalog::ItemKey item;
    uint32_t slot = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  /// The lanes of one partition that are not written yet, that are in a batch that is, and that are not taken. Guarded
  /// by whoever guards the partition.
  struct Changes {
    std::vector<Place> unwritten, being_written, untaken;
  };

  /// `store` and `budget` outlive it.
  ItemLanes(std::shared_ptr<const signal::Set> signals, const StateStore* store, CacheBudget* budget);
  ~ItemLanes();
  ItemLanes(const ItemLanes&) = delete;
  ItemLanes& operator=(const ItemLanes&) = delete;

  const signal::Set& signals() const { return *signals_; }

  /// Brings what Fold needs of the event's item into memory, so that a fold with a lock held reads no store.
  absl::Status Bring(const v1::Event& event);
  /// Counts an event that the partition has counted, or that is left of one. After an error nothing has changed.
  absl::Status Fold(uint32_t partition, const v1::Event& event, double strength, Changes* changes);
  /// Adds what is not written to `batch`; it stays in memory until Written.
  void Write(uint32_t partition, Changes* changes, StateStore::Batch* batch);
  void Written(Changes* changes);
  /// From now on AsTaken says what the partition's lanes are now. Adds the items whose lanes have changed since the
  /// last time.
  void Take(uint32_t partition, Changes* changes, absl::flat_hash_set<catalog::ItemKey>* items);
  /// The item's lanes as they were last taken, by slot, then by partition.
  absl::StatusOr<std::vector<ItemLane>> AsTaken(catalog::ItemKey item);

  /// Drops up to `items_max` items of which the store has everything, least recently used first, about. 0: there are
  /// none, or they are in use.
  size_t TryEvict(size_t items_max);

 private:
  static constexpr size_t kShards = 64;
  struct Lane {
    uint32_t slot = 0, partition = 0;
    std::string value;
    std::unique_ptr<const std::string> taken;  ///< what it was when it was taken; null: what it is
    bool unwritten = false, untaken = false;
  };
  struct Entry {
    catalog::ItemKey item;
    std::vector<Lane> lanes;  ///< by slot, then by partition
    uint32_t pins = 0;        ///< lanes that are in somebody's Changes, each time that they are
    bool used = false;        ///< since TryEvict last met it: it is spared once
    size_t charged_bytes = 0;
    std::list<Entry*>::iterator age;
  };
  struct Shard {
    std::mutex mutex;
    absl::flat_hash_map<catalog::ItemKey, std::unique_ptr<Entry>> items;
    std::list<Entry*> ages;
    uint64_t evictions = 0;  ///< what was read without the lock is current only if this has not changed since
  };

  Shard& ShardOf(catalog::ItemKey item) { return shards_[item.value >> 58]; }
  // With the shard's mutex held:
  static Entry* Find(Shard* shard, catalog::ItemKey item);
  absl::StatusOr<Entry*> FindOrLoad(Shard* shard, catalog::ItemKey item);
  Entry* Insert(Shard* shard, catalog::ItemKey item, std::vector<ItemLane> lanes);
  static Lane* FindLane(Entry* entry, uint32_t slot, uint32_t partition);
  void Charge(Entry* entry);

  /// The slots that count the event for its item.
  std::span<const uint32_t> SlotsOf(const v1::Event& event) const;
  absl::StatusOr<std::vector<ItemLane>> Load(catalog::ItemKey item) const;

  const std::shared_ptr<const signal::Set> signals_;
  const StateStore* const store_;
  CacheBudget* const budget_;
  std::array<Shard, kShards> shards_;
  std::atomic<uint32_t> evict_hand_ = 0;
};

/// What the store holds of items' signals that are in the set, as lanes; items ascending. DataLoss: damaged.
absl::Status ScanItemLanes(const StateStore& store, const signal::Set& signals,
                           const std::function<void(catalog::ItemKey, const std::vector<ItemLane>&)>& visit);

}  // namespace bowerbird::state
