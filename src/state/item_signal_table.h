#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "catalog/keys.h"
#include "signal/definition.h"
#include "state/item_counts.h"
#include "state/item_lanes.h"
#include "state/item_table.h"
#include "state/partition_range.h"

namespace bowerbird::state {

/// The signals of all items as requests read them; part of an ItemTable.
///
/// Data     the values of an item, shared by tables for as long as they do not change.
/// Threads  immutable.
class ItemSignalTable {
 public:
  /// Null when nothing was counted of the item.
  const ItemSignalValues* Find(catalog::ItemKey item) const;

 private:
  friend class ItemSignalTableBuilder;
  static constexpr size_t kShards = 1024;
  struct Shard {
    std::vector<catalog::ItemKey> items;  ///< ascending
    std::vector<std::shared_ptr<const ItemSignalValues>> values;
  };
  std::array<std::shared_ptr<const Shard>, kShards> shards_;
};

/// Makes the values of items out of what partitions counted: this node's lanes, and what the other nodes of a cluster
/// have told of theirs, merged in one order wherever that is done (partition_blocks.h).
///
/// Threads  one at a time.
/// Bounds   memory, which memory_bytes() says: the values of each item, and about 100 bytes; in a cluster also what
/// each
///          node's partitions make up, at most 2 log2(partitions) values of a signal.
class ItemSignalTableBuilder {
 public:
  ItemSignalTableBuilder(std::shared_ptr<const signal::Set> signals, const PartitionRange& owned, uint32_t partitions);

  const std::shared_ptr<const signal::Set>& signals() const { return signals_; }
  /// Own lanes of an item, all that have a value. `change` numbers the change.
  void Set(catalog::ItemKey item, const std::vector<ItemLane>& lanes, uint64_t change);
  /// What the own partitions have of the items that changed after change `since`; 0: of all.
  void VisitOwn(uint64_t since,
                const std::function<void(catalog::ItemKey, std::vector<ItemSignalBlock> blocks)>& visit) const;

  /// DataLoss: not what another node can have counted.
  absl::Status Check(const std::vector<ItemSignalBlock>& told) const;
  /// What another node has counted and Check passes, in the place of what was known of it. Signals that are not of the
  /// set are passed over.
  void SetPeer(uint32_t peer, catalog::ItemKey item, const std::vector<ItemSignalBlock>& told);
  void ClearPeer(uint32_t peer);

  std::shared_ptr<const ItemSignalTable> Build();
  uint64_t memory_bytes() const { return memory_bytes_; }

 private:
  struct Block {
    uint32_t slot = 0;
    PartitionRange partitions;
    std::string value;
  };
  struct Item {
    std::vector<Block> own;                          ///< none where `values` is all of it
    std::vector<std::vector<Block>> peers;           ///< by peer
    std::shared_ptr<const ItemSignalValues> values;  ///< null after a change
    uint64_t changed = 0;                            ///< by which change, of `own`
    size_t bytes = 0;                                ///< of memory_bytes_
  };
  struct Shard {
    absl::btree_map<catalog::ItemKey, Item> items;
    std::shared_ptr<const ItemSignalTable::Shard> published;  ///< null after a change
  };
  static size_t ShardOf(catalog::ItemKey item) { return item.value >> 54; }
  std::vector<Block> OwnBlocks(const std::vector<ItemLane>& lanes) const;
  std::shared_ptr<const ItemSignalValues> Merge(const Item& item) const;
  void Count(Item* item);

  friend class ItemSignalTable;
  const std::shared_ptr<const signal::Set> signals_;
  const PartitionRange owned_;
  const uint32_t partitions_;
  const std::vector<PartitionRange> blocks_;  ///< of the own partitions
  std::array<Shard, ItemSignalTable::kShards> shards_;
  uint64_t memory_bytes_ = 0;
};

}  // namespace bowerbird::state
