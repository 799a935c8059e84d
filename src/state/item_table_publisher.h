#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "base/published.h"
#include "config/config.h"
#include "log/event_log.h"
#include "state/append_health.h"
#include "state/item_lanes.h"
#include "state/item_table_builder.h"
#include "state/partition.h"
#include "state/partition_range.h"
#include "state/state_store.h"

namespace bowerbird::state {

/// The item tables of a State: takes what its partitions have counted, and what other nodes tell, into one builder, and
/// makes tables of it.
///
/// Threads  Load, then Begin, before all else; then any. One lock, held while a table is made.
/// Errors   where signals cannot be read from the store, no table is made; the next call goes on.
class ItemTablePublisher {
 public:
  struct Options {
    PartitionRange owned;
    bool append = true;  ///< versions go to the item_tables topic
    uint64_t version_offset = 0, version_step = 1;
    std::function<void()> store_damaged;
  };
  /// What it is given outlives it.
  ItemTablePublisher(const config::Config* config, const ItemLayout& layout, log::EventLog* log,
                     std::shared_ptr<AppendHealth> appends, Options options);

  /// What the store has, folded up to `offsets`; moves from item to item that ended before `moves_from_us` need not be
  /// held. Replaces what was loaded.
  absl::Status Load(const StateStore& store, const signal::Set& signals, std::vector<log::Offset> offsets,
                    int64_t moves_from_us);
  /// A first table, of what was loaded, as of `time_us`. `partitions` are all of them, by index.
  absl::Status Begin(int64_t time_us, std::span<const std::unique_ptr<Partition>> partitions, ItemLanes* lanes,
                     CacheBudget* budget);

  /// Takes what a partition has counted since the last time, which bounds what it keeps of it.
  void Absorb(Partition* partition);
  /// Never null after Begin.
  std::shared_ptr<const ItemTable> table() const { return table_.Get(); }
  /// As State's.
  std::shared_ptr<const ItemTable> Publish(int64_t time_us, uint64_t version);
  ItemCountsDelta CountsSince(uint64_t epoch, uint64_t change);
  absl::Status TakeCounts(uint32_t peer, const ItemCountsDelta& delta);
  /// Whether a table that is made now would have other counts than the last one.
  bool HasNews() const;

 private:
  void AbsorbHeld(Partition* partition);  // with mutex_ held
  absl::Status AbsorbAll();               // with mutex_ held
  void AppendVersion(const ItemTable& table);

  const config::Config& config_;
  const ItemLayout layout_;
  log::EventLog* const log_;
  const std::shared_ptr<AppendHealth> appends_;
  const Options options_;
  const uint64_t epoch_;
  std::span<const std::unique_ptr<Partition>> partitions_;
  ItemLanes* lanes_ = nullptr;
  CacheBudget* budget_ = nullptr;

  std::mutex mutex_;                                     ///< of what follows
  std::optional<ItemTableBuilder> builder_;              ///< set by Load
  absl::flat_hash_set<catalog::ItemKey> signals_taken_;  ///< items whose lanes the builder does not have yet
  uint64_t last_version_ = 0;

  std::atomic<bool> peers_changed_ = false;  ///< since the last table
  base::Published<ItemTable> table_;
};

}  // namespace bowerbird::state
