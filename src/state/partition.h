#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "log/event_log.h"
#include "replay/source.h"
#include "signal/definition.h"
#include "state/fold.h"
#include "state/item_lanes.h"
#include "state/item_record.h"
#include "state/state_store.h"
#include "state/user_cache.h"

namespace bowerbird::state {

/// Sums over all partitions since the state was opened.
struct FoldCounters {
  std::atomic<uint64_t> folded = 0, duplicates = 0, too_late = 0, dead_letters = 0;
  /// Events that are marked traffic, and marks that were said, by MarkReason.
  std::array<std::atomic<uint64_t>, kMarkReasons> left_out{}, marks{};
};

/// A record that could not be folded.
struct DeadLetter {
  log::Offset offset = 0;
  std::string reason;
  std::string key, value;
};

/// An id, whom it has become, and who has become it.
struct UserIdentity {
  catalog::UserKey key;
  std::string id;  ///< empty: unknown
  catalog::UserKey becomes_key;
  std::string becomes;  ///< empty: nobody
  std::vector<catalog::UserKey> merged;
};

/// One partition of the events topic: its users in memory, and how far it is folded.
///
/// Threads  Fold from one thread at a time; everything else from any thread at once. The mutex is held for a few events
/// at a time and
///          never during a read or write of the store, but for the fold of a user that was evicted within its batch,
///          and of one with a long history who becomes another.
class Partition {
 public:
  /// `item_lanes`: the signals per item, of all partitions. `hands_over`: keep handovers to be sent; without, as in a
  /// replay of what has happened, they are in the log.
  Partition(uint32_t index, uint32_t partitions, log::Offset folded, const FoldPolicy* policy,
            std::shared_ptr<const signal::Set> signals, ItemLanes* item_lanes, const StateStore* store,
            CacheBudget* budget, FoldCounters* counters, bool hands_over);

  uint32_t index() const { return index_; }
  log::Offset folded() const { return folded_; }
  /// As far as folded(), but not beyond a record whose handover nobody has appended yet.
  log::Offset settled() const { return settled_; }

  /// Folds a batch that begins at folded(). Calls `advanced` (may be empty) without the mutex whenever folded() has
  /// moved.
  absl::Status Fold(const replay::EventBatch& batch, const std::function<void()>& advanced,
                    std::vector<DeadLetter>* dead_letters);
  /// Moves up over offsets that the log no longer holds.
  void SkipTo(log::Offset offset);

  absl::StatusOr<std::shared_ptr<const UserState>> Get(catalog::UserKey key, std::string_view id);
  /// What of the user's actions is in memory; the store has the lifelong blocks below.
  struct Actions {
    uint64_t total = 0;
    std::vector<Action> newest;         ///< of the record, fold order
    std::vector<SpilledBlock> pending;  ///< perhaps not yet in the store
  };
  absl::StatusOr<Actions> GetActions(catalog::UserKey key, std::string_view id);
  absl::StatusOr<UserIdentity> Identity(catalog::UserKey key);

  /// What ids that have become others hand over and nobody has appended yet, in fold order. Until HandoversSent nothing
  /// of this partition is written: a process that dies folds it again, and hands it over again.
  std::vector<Handover> UnsentHandovers();
  void HandoversSent(size_t count);

  /// Adds all that the store does not have yet to `batch`, and its item events to `item_events`; those users stay in
  /// memory until Written. False when there is nothing, or handovers are unsent.
  bool TakeUnwritten(StateStore::Batch* batch, std::vector<ItemEvent>* item_events);
  /// The batch is in the store.
  void Written();

  /// Item events since the last call, the items whose signals have changed (ItemLanes::Take), and the offset that they
  /// reach to.
  log::Offset TakeItemEvents(std::vector<ItemEvent>* item_events, absl::flat_hash_set<catalog::ItemKey>* signal_items);
  size_t untaken_item_events() const { return untaken_item_events_.load(std::memory_order_relaxed); }

  /// Drops clean users; 0 when the mutex is taken.
  size_t TryEvict(size_t users_max);

 private:
  using Record = replay::EventRecord;
  /// A user as the store has it.
  struct Loaded {
    std::optional<UserRecord> record;
    std::unique_ptr<UserSignals> signals;
  };
  absl::StatusOr<std::vector<Loaded>> Load(std::span<const catalog::UserKey> keys) const;
  /// Those of a few events that follow: their memory comes while the others' is on its way. With the mutex held.
  void PrefetchUsers(std::span<const Record> records);
  absl::Status LoadMissing(std::span<const Record> records);
  // With mutex_ held:
  absl::Status FoldOne(const Record& record, std::vector<DeadLetter>* dead_letters);
  absl::StatusOr<CachedUser*> FindOrLoad(catalog::UserKey key);
  void CountForItem(const ItemEvent& event);
  void CountMarked(const v1::Event& event, const UserRecord& before);
  void NoteMark(const Record& record, const CachedUser& user);
  void FoldSignals(const v1::Event& event, CachedUser* user, Handover* handover) const;
  absl::Status HandOverBlocks(const CachedUser& user, Handover* handover) const;
  absl::StatusOr<std::shared_ptr<const UserState>> View(CachedUser* user, std::string_view id);

  const uint32_t index_, partitions_;
  const FoldPolicy* const policy_;
  const std::shared_ptr<const signal::Set> signals_;
  ItemLanes* const item_lanes_;
  const StateStore* const store_;
  FoldCounters* const counters_;
  const bool hands_over_;

  std::atomic<log::Offset> folded_;
  std::atomic<log::Offset> settled_;
  std::atomic<size_t> untaken_item_events_ = 0;
  Change change_;  // of the thread that folds: its memory is reused

  std::mutex mutex_;  ///< of what follows
  UserCache users_;
  std::vector<CachedUser*> being_written_;
  std::vector<ItemEvent> unwritten_items_, untaken_items_;
  ItemLanes::Changes item_changes_;
  std::vector<Handover> unsent_;
  /// Users of whom a mark was handed over and is not folded yet: a second one would say the same.
  absl::flat_hash_set<catalog::UserKey> marks_on_their_way_;
  log::Offset written_;
};

}  // namespace bowerbird::state
