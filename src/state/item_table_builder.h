#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "config/config.h"
#include "log/event_log.h"
#include "state/item_counts.h"
#include "state/item_lanes.h"
#include "state/item_record.h"
#include "state/item_signal_table.h"
#include "state/item_table.h"
#include "state/next_table.h"

namespace bowerbird::state {

/// The item counters and signals of all partitions in memory, from which tables are published: this node's own, and
/// what the other nodes of a cluster have told of theirs. Sums of sums are the sums of all events, however they are
/// divided, so that a table is the one that a fold of every partition up to the same offsets gives.
///
/// Data     items sorted by key in kShards shards by the key's high bits. A published table shares the shards that have
/// not changed
///          since: publishing copies the others (40 bytes an item) and walks the buckets of the trending windows.
/// Threads  one at a time; the tables are immutable.
/// Bounds   memory: about 90 bytes an item, and 16 for each bucket inside the longest window of a trending generator;
///          NextTableBuilder's and ItemSignalTableBuilder's.
class ItemTableBuilder {
 public:
  static constexpr size_t kShards = 1024;

  /// `owned`: the partitions of which it is told here; the others' are told by other nodes.
  ItemTableBuilder(const config::Config& config, const ItemLayout& layout, uint32_t partitions,
                   const PartitionRange& owned = {});

  /// What the store holds of an item; before the first Absorb.
  void Load(catalog::ItemKey item, const ItemRecord& record);
  void LoadNext(catalog::ItemKey from, NextRecord record) { next_.Load(from, std::move(record)); }
  void LoadSignals(catalog::ItemKey item, const std::vector<ItemLane>& lanes) { signals_.Set(item, lanes, changes_); }
  void SetOffsets(std::vector<log::Offset> offsets) { offsets_ = std::move(offsets); }

  /// Own counts of items that changed after change `since`; 0: all. Their records are not encoded yet: that is
  /// CountsSince::Encode's, which needs no builder.
  struct Counted {
    catalog::ItemKey item;
    bool has_record = false;
    ItemRecord record;
    NextRecord next;
    std::vector<ItemSignalBlock> signals;
  };
  struct CountsSince {
    uint64_t change = 0;
    std::vector<log::Offset> offsets;
    std::vector<Counted> items;
    void Encode(ItemCountsDelta* delta);  ///< leaves nothing
  };
  CountsSince Since(uint64_t since) const;
  /// Puts what another node counted in the place of what was known of it. DataLoss, and nothing changes: its records
  /// cannot be read, or are of other partitions than `offsets()` has.
  absl::Status TakeCounts(uint32_t peer, const ItemCountsDelta& delta);

  /// Adds counted events of a partition, all there are between its last offset and `folded`. Sorts `events`.
  void Absorb(uint32_t partition, log::Offset folded, std::vector<ItemEvent>* events);

  /// What the own lanes of an item are up to those offsets.
  void AbsorbSignals(catalog::ItemKey item, const std::vector<ItemLane>& lanes) {
    signals_.Set(item, lanes, ++changes_);
  }

  /// The table at `time_us`. A time before the last table's counts as that: buckets that have left the window are gone.
  std::shared_ptr<const ItemTable> Build(int64_t time_us, uint64_t version);

  /// Of the own partitions; 0 elsewhere.
  std::span<const log::Offset> offsets() const { return offsets_; }
  uint64_t items() const;
  /// Of items, moves and signals, and of what the last table holds of them.
  uint64_t memory_bytes() const;

 private:
  struct WindowBucket {
    uint32_t bucket = 0;
    uint64_t weight = 0;
  };
  /// One item as it is counted; `sums` is what is published.
  struct Item {
    catalog::ItemKey key;
    ItemSums sums;
    uint32_t newest_bucket = 0;        ///< of all its events: what ItemRecord counts its buckets from
    std::vector<WindowBucket> window;  ///< ascending; positive weights only
    uint64_t changed = 0;              ///< by which change, of the own ones
  };
  struct Published;
  struct Table;
  struct Shard {
    std::vector<Item> items;                     ///< own, sorted by key
    std::vector<std::vector<Item>> peers;        ///< by peer, sorted by key; empty without other nodes
    std::vector<Item> all;                       ///< their sums, where there are peers; as of `published`
    std::shared_ptr<const Published> published;  ///< null after a change
    const std::vector<Item>& Counted() const { return peers.empty() ? items : all; }
  };

  static size_t ShardOf(catalog::ItemKey item) { return item.value >> 54; }
  Item MakeItem(catalog::ItemKey key, const ItemRecord& record) const;
  void AddTo(const Item& added, Item* sum) const;
  void SumPeers(Shard* shard) const;
  std::vector<RankedItem> Trending(const config::Generator& generator, int64_t time_us) const;
  std::vector<RankedItem> Popular(const config::Generator& generator) const;
  void DropOldBuckets(int64_t time_us);

  const ItemLayout layout_;
  std::vector<config::Generator> generators_;  ///< trending and popular
  int64_t window_us_max_ = 0;
  int64_t last_time_us_ = 0;
  std::vector<log::Offset> offsets_;
  std::vector<std::vector<log::Offset>> peer_offsets_;  ///< by peer
  uint64_t changes_ = 1;                                ///< 0 is before all of them
  std::array<Shard, kShards> shards_;
  uint64_t window_bytes_ = 0;  ///< of all items' windows, as of the last table
  NextTableBuilder next_;
  ItemSignalTableBuilder signals_;
};

}  // namespace bowerbird::state
