#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "log/event_log.h"
#include "signal/definition.h"
#include "state/fold.h"
#include "state/fold_group.h"
#include "state/item_lanes.h"
#include "state/partition.h"
#include "state/state_store.h"
#include "state/user_cache.h"

namespace bowerbird::state {

/// Folds the log again from its first record, partition by partition and no further than told, into a store of its own:
/// how a signal gets its history, and what users' state and items' signals were at an offset. The same fold as the
/// running one; appends nothing.
///
/// Threads  one caller at a time; FoldUntil works on several where there is something to do.
/// Bounds   memory: config.state.cache_bytes, half for users and half for the store.
/// Errors   those of log and store.
class PastFold {
 public:
  /// `signals`: those per user; those per item are the config's. Goes on where one of the same config and signals was
  /// flushed or closed in `dir`; throws away what another left there, and what is beyond `ends_max` (one a partition).
  /// `stores` and `log` outlive it.
  static absl::StatusOr<std::unique_ptr<PastFold>> Open(const StateStores& stores, const std::string& dir,
                                                        const config::Config& config,
                                                        std::shared_ptr<const signal::Set> signals,
                                                        const log::EventLog* log,
                                                        std::span<const log::Offset> ends_max);

  ~PastFold();

  /// Folds each partition up to its end; one that is there already stays.
  absl::Status FoldUntil(std::span<const log::Offset> ends);
  absl::Status Flush();
  std::vector<log::Offset> Offsets() const;
  /// As State::Get, as of the partition's offset.
  absl::StatusOr<std::shared_ptr<const UserState>> Get(catalog::UserKey key, std::string_view id);
  /// The item's values of the config's signals per item, by slot, as of the partitions' offsets.
  absl::StatusOr<std::vector<std::string>> ItemSignals(catalog::ItemKey item);
  const StateStore& store() const { return *store_; }
  uint64_t folded() const { return counters_.folded; }

 private:
  PastFold(const config::Config& config, std::shared_ptr<const signal::Set> signals, const log::EventLog* log);
  absl::Status Init(const StateStores& stores, const std::string& dir, std::span<const log::Offset> ends_max);
  absl::Status OpenStore(const StateStores& stores, const std::string& dir, std::span<const log::Offset> ends_max);
  absl::Status MakeRoom(size_t group);
  void Evict();

  const FoldPolicy policy_;
  const std::shared_ptr<const signal::Set> signals_, item_signals_;
  const log::EventLog* const log_;
  const uint32_t partition_count_;
  const int64_t write_interval_us_;
  const uint64_t store_bytes_;
  CacheBudget budget_;
  FoldCounters counters_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<ItemLanes> item_lanes_;
  std::vector<std::unique_ptr<Partition>> partitions_;
  std::vector<std::unique_ptr<FoldGroup>> groups_;
};

}  // namespace bowerbird::state
