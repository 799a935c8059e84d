#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "log/event_log.h"
#include "state/item_record.h"
#include "state/item_table.h"
#include "state/next_table.h"

namespace bowerbird::state {

/// The item counters of all partitions in memory, from which tables are published.
///
/// Data     items sorted by key in kShards shards by the key's high bits. A published table shares the shards that have
/// not changed
///          since: publishing copies the others (40 bytes an item) and walks the buckets of the trending windows.
/// Threads  one at a time; the tables are immutable.
/// Bounds   memory: about 90 bytes an item, and 16 for each bucket inside the longest window of a trending generator;
///          NextTableBuilder's.
class ItemTableBuilder {
 public:
  static constexpr size_t kShards = 1024;

  ItemTableBuilder(const config::Config& config, const ItemLayout& layout, uint32_t partitions);

  /// What the store holds of an item; before the first Absorb.
  void Load(catalog::ItemKey item, const ItemRecord& record);
  void LoadNext(catalog::ItemKey from, NextRecord record) { next_.Load(from, std::move(record)); }
  void SetOffsets(std::vector<log::Offset> offsets) { offsets_ = std::move(offsets); }

  /// Adds counted events of a partition, all there are between its last offset and `folded`. Sorts `events`.
  void Absorb(uint32_t partition, log::Offset folded, std::vector<ItemEvent>* events);

  /// The table at `time_us`. A time before the last table's counts as that: buckets that have left the window are gone.
  std::shared_ptr<const ItemTable> Build(int64_t time_us, uint64_t version);

  std::span<const log::Offset> offsets() const { return offsets_; }
  uint64_t items() const;

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
  };
  struct Published;
  struct Table;
  struct Shard {
    std::vector<Item> items;                     ///< sorted by key
    std::shared_ptr<const Published> published;  ///< null after a change
  };

  static size_t ShardOf(catalog::ItemKey item) { return item.value >> 54; }
  std::vector<RankedItem> Trending(const config::Generator& generator, int64_t time_us) const;
  std::vector<RankedItem> Popular(const config::Generator& generator) const;
  void DropOldBuckets(int64_t time_us);

  const ItemLayout layout_;
  std::vector<config::Generator> generators_;  ///< trending and popular
  int64_t window_us_max_ = 0;
  int64_t last_time_us_ = 0;
  std::vector<log::Offset> offsets_;
  std::array<Shard, kShards> shards_;
  NextTableBuilder next_;
};

}  // namespace bowerbird::state
