#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "config/config.h"
#include "log/event_log.h"
#include "signal/definition.h"
#include "state/item_counts.h"
#include "state/item_table.h"
#include "state/partition_range.h"
#include "state/signal_statistics.h"
#include "state/user_mark.h"
#include "state/user_state.h"

namespace bowerbird::state {

class StateStores;

/// The consumer of the events topic and its views. Folds each partition in offset order into per-user state and
/// per-item counters, drops duplicates, and commits state and offsets in one write, so that a crash repeats nothing and
/// skips nothing.
///
/// Data     one RocksDB in `dir`, column families `users`, `items`, `signals`, `offsets`; WAL off: the log recovers it.
/// Threads  every member may be called from any thread. Folding runs on threads of its own between Start and Stop.
/// Bounds   dirty and cached state within state.cache_bytes; of it, what the item table holds of signals per item is
/// not
///          bounded by it (CacheBudget).
/// Errors   an undecodable record goes to the dead-letter topic with its reason and is skipped; a failing store stops
/// the fold of that
///          partition, is retried, and shows in Health().
class State {
 public:
  struct Options {
    uint32_t threads = 1;
    /// Stop folding a partition before this offset (replay of the past); empty = no limit.
    std::vector<log::Offset> end_offsets;
    /// Publish item tables by time and at the end of CatchUp, append their versions to the item_tables topic,
    /// undecodable records to dead_letters, and what identified ids hand over to events. False: tables are made by
    /// PublishItemTable only, and nothing is appended to the log; for a replay of what has happened in a folder of its
    /// own.
    bool publish = true;
    /// Told where a record lies by which a user is handed what another id did; may be empty, must not block.
    std::function<void(catalog::UserKey user, uint32_t partition, log::Offset offset)> handed_over;
    /// What is folded: the other partitions' users are another node's. State of other partitions than these is made
    /// anew, as state of another layout is.
    PartitionRange owned;
    /// Versions of published item tables are these modulo version_step, so that no two nodes give the same.
    uint64_t version_offset = 0, version_step = 1;
    /// Where the store is; null: the disk. Outlives the State.
    const StateStores* stores = nullptr;
  };
  /// State that was made under another config of events (weights, polarities, bounds of records) or from another log,
  /// and state that is damaged, is thrown away and made again by the fold. Where the log no longer reaches back to its
  /// start, new weights and polarities count from here on, and the rest is FailedPrecondition or DataLoss. Damage that
  /// is met after Open shows in Health(), and the next Open makes the state anew. Unavailable: another process has the
  /// folder. Signals that the config has and the store does not get their history before Open returns
  /// (adopt_signals.h).
  static absl::StatusOr<std::unique_ptr<State>> Open(const std::string& dir,
                                                     std::shared_ptr<const config::Config> config, log::EventLog* log,
                                                     const base::Clock* clock, const Options& options);
  virtual ~State() = default;

  virtual void Start() = 0;
  /// Folds what is in the log up to its present end (or end_offsets), and what that makes identified ids hand over, and
  /// returns; for commands and tests without Start.
  /// After Start it waits until the threads have done so.
  virtual absl::Status CatchUp() = 0;
  /// Flushes and stops the threads. Idempotent.
  virtual void Stop() = 0;
  /// State and offsets of all partitions durable together.
  virtual absl::Status Flush() = 0;
  /// A copy of state and offsets in the new folder `to`, folded at least as far as at the call. Folding goes on.
  virtual absl::Status Checkpoint(const std::string& to) = 0;

  /// Never null: an unknown user is an empty state with the partition's offset. FailedPrecondition: the stored id
  /// differs (collision); Unavailable: the user is another node's. Cost: under 2 microseconds for a user in memory, and
  /// never a wait for a write of the store (state_bench: Get).
  virtual absl::StatusOr<std::shared_ptr<const UserState>> Get(catalog::UserKey key, std::string_view id) const = 0;
  /// What the user did ever, those of hidden items too: `visit` is shown the actions with ordinals below `before` (0:
  /// all of them), the last one first, until it returns false. An ordinal counts the user's actions in the order in
  /// which they were folded; an id that is taken in may still move the newest sequence_max + 63 of them. Returns how
  /// many there are. Errors as Get. Cost: a read of the store for each 64 actions beyond those.
  virtual absl::StatusOr<uint64_t> VisitActions(
      catalog::UserKey key, std::string_view id, uint64_t before,
      const std::function<bool(uint64_t ordinal, const Action& action)>& visit) const = 0;
  /// Offset (exclusive) up to which `partition` is folded; 0 where that is another node's.
  virtual log::Offset FoldedOffset(uint32_t partition) const = 0;
  /// Calls `done(folded)` once, when partition is folded beyond `offset` (true) or at the deadline (false). May call it
  /// at once, on the caller's thread; otherwise on a fold thread: `done` must not block.
  virtual void WhenFolded(uint32_t partition, log::Offset offset, int64_t timeout_us,
                          std::function<void(bool)> done) = 0;

  /// The ids that are one person with this one, as far as is folded: first whom it has become, or itself; then all
  /// that have become that user and nobody else since. Their own record of having become somebody may be unknown: then
  /// the id is empty. FailedPrecondition as Get.
  struct Person {
    catalog::UserKey key;
    std::string id;
  };
  virtual absl::StatusOr<std::vector<Person>> Identities(catalog::UserKey key, std::string_view id) const = 0;
  /// What the store's files still hold of users who were forgotten is gone when it returns.
  virtual absl::Status Erase(std::span<const catalog::UserKey> users) = 0;
  /// Everything that the store holds, in memory, in files, and written over: `place` is a column's name.
  virtual absl::Status VisitStored(
      const std::function<void(std::string_view place, std::string_view key, std::string_view value)>& visit) = 0;

  /// The declared signals per user and per item, and what the store holds of them, from up to `count_max` users and as
  /// many items. Writes what is folded first.
  virtual std::shared_ptr<const signal::Set> signals() const = 0;
  virtual std::shared_ptr<const signal::Set> item_signals() const = 0;
  virtual absl::StatusOr<SignalStatistics> CollectSignals(uint64_t count_max) = 0;

  /// Shows `visit` the users in the order of their keys, from `from` on, as they were at one moment after the call,
  /// until it returns false; ids that have become others are left out. `offset` of what it sees is 0. Writes what is
  /// folded first; users in memory stay in memory. Cost: a scan of users and their signals.
  virtual absl::Status VisitUsers(catalog::UserKey from, const std::function<bool(const UserState&)>& visit) = 0;
  /// Folds the history of the signals that `wanted` has and this State has not, beside it and while it goes on, so that
  /// an Open with `wanted` has only what came since left to fold. Nothing to do where `wanted` changes what events mean
  /// or how records are laid out: all of the state is made again then. One call at a time. Errors: those of log and
  /// store; the State stays as it is.
  virtual absl::Status FoldSignalsAhead(const config::Config& wanted) = 0;

  /// Never null after Open.
  virtual std::shared_ptr<const ItemTable> item_table() const = 0;
  /// Makes and publishes a table now, as of `time_us`, with this version (0 = next). Where items' signals cannot be
  /// read from the store the last table stays, is returned, and Health() says why. A time before the last table's
  /// counts as that one's.
  virtual std::shared_ptr<const ItemTable> PublishItemTable(int64_t time_us, uint64_t version) = 0;

  /// What was counted of items in the owned partitions, for the other nodes of a cluster: what changed since `change`
  /// of `epoch`, or everything where that is another life's. Cost: a copy of it, while no table is made.
  virtual ItemCountsDelta ItemCountsSince(uint64_t epoch, uint64_t change) = 0;
  /// Lets tables from now on have what node `peer` counted. DataLoss: it cannot be read, and nothing changes.
  virtual absl::Status TakeItemCounts(uint32_t peer, const ItemCountsDelta& delta) = 0;

  struct Counters {
    uint64_t folded = 0, duplicates = 0, too_late = 0, dead_letters = 0, flushes = 0;
    /// Folded events that are marked traffic, and mark records, by MarkReason.
    std::array<uint64_t, kMarkReasons> left_out{}, marks{};
    uint64_t bytes_written = 0;  ///< to files, by flushes and compactions of the store
    uint64_t batch_bytes = 0;    ///< handed to the store
    uint64_t skipped = 0;        ///< offsets that the log no longer held when their turn came
    uint64_t lag_records = 0;    ///< appended but not folded, over all partitions
    int64_t lag_us = 0;          ///< age of the oldest such record, 0 when none
    uint64_t users_cached = 0;
    uint64_t cache_bytes = 0;  ///< users and items' signals in memory, cached blocks and unflushed writes
  };
  virtual Counters counters() const = 0;
  virtual absl::Status Health() const = 0;
};

struct VerifyReport {
  uint64_t keys = 0, users = 0, items = 0, events = 0;
  std::vector<std::string> differences;  ///< at most 20, in words
  uint64_t difference_count = 0;
};
/// `bowerbird state verify`: rebuilds the partitions `owned` from the log into a new folder in `scratch_dir` up to the
/// offsets committed in `dir`, and compares every key and value of every column family. No State may have `dir` open.
/// NotFound: no state there. FailedPrecondition: it was made under another config, or the log no longer reaches back to
/// its start.
absl::StatusOr<VerifyReport> VerifyByReplay(const std::string& dir, const std::string& scratch_dir,
                                            std::shared_ptr<const config::Config> config, log::EventLog* log,
                                            const base::Clock* clock, const StateStores* stores = nullptr,
                                            const PartitionRange& owned = {});

}  // namespace bowerbird::state
