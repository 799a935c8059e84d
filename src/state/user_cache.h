#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "bowerbird/v1/event.pb.h"
#include "state/user_op.h"
#include "state/user_record.h"
#include "state/user_signals.h"
#include "state/user_state.h"

namespace bowerbird::state {

/// Memory of the users and items of all partitions together.
struct CacheBudget {
  explicit CacheBudget(uint64_t bytes_max) : bytes_max(static_cast<int64_t>(bytes_max)) {}
  const int64_t bytes_max;
  std::atomic<int64_t> bytes = 0;  ///< of what can leave memory once it is written
  std::atomic<int64_t> users = 0;
  /// Of the item tables (counters, moves and signals), which cannot. They are let have three quarters: what is more is
  /// beyond the budget.
  std::atomic<int64_t> table_bytes = 0;
  bool Exceeded() const { return bytes > bytes_max - std::min<int64_t>(table_bytes, bytes_max / 4 * 3); }
};

/// A user in memory: the record, and what of it the store does not have yet.
struct CachedUser {
  catalog::UserKey key;
  UserRecord record;
  std::string pending_ops;  ///< encoded, applied to `record` already
  std::vector<SpilledBlock> pending_blocks, blocks_being_written;
  uint32_t blocks_to_drop = 0;           ///< the store's first lifelong blocks, of who was forgotten or became another
  std::unique_ptr<UserSignals> signals;  ///< null while nothing was counted
  bool listed_dirty = false;
  bool being_written = false;             ///< handed to the store, which has not answered yet: must not leave
  bool used = false;                      ///< since Evict last met it: it is spared once (second chance)
  std::shared_ptr<const UserState> view;  ///< of this record at some offset; null after a change
  size_t charged_bytes = 0;
  std::list<CachedUser*>::iterator age;  ///< place in the list, from whom Evict meets first
};

/// The users of one partition that are in memory. A user is either here, or the store has all of it.
///
/// Threads  none of its own: the partition's mutex guards it.
/// Bounds   the budget, kept by calls of Evict; users with unwritten changes stay whatever the budget says.
class UserCache {
 public:
  explicit UserCache(CacheBudget* budget) : budget_(budget) {}
  ~UserCache();
  UserCache(const UserCache&) = delete;
  UserCache& operator=(const UserCache&) = delete;

  /// Null when not in memory. A use is only marked, so that it touches no neighbor in the list.
  CachedUser* Find(catalog::UserKey key);
  CachedUser* Insert(catalog::UserKey key, UserRecord record, std::unique_ptr<UserSignals> signals);
  /// To be called after each change of a user's parts, so that its size is counted.
  void Charge(CachedUser* user);
  void MarkDirty(CachedUser* user);
  /// Hands over the users with unwritten changes and marks them as being written.
  std::vector<CachedUser*> TakeDirty();
  bool has_dirty() const { return !dirty_.empty(); }
  /// Brings what a fold of the user's event touches nearer to the processor.
  static void Prefetch(const CachedUser& user, const v1::Event& event);
  /// Drops up to `users_max` clean users, least recently used first, about; returns how many. May return fewer than
  /// there are to drop.
  size_t Evict(size_t users_max);
  /// Goes up whenever users are dropped: a record read outside the mutex is current only if this has not changed since.
  uint64_t evictions() const { return evictions_; }

 private:
  CacheBudget* const budget_;
  absl::flat_hash_map<catalog::UserKey, std::unique_ptr<CachedUser>> users_;
  std::list<CachedUser*> ages_;
  std::vector<CachedUser*> dirty_;
  uint64_t evictions_ = 0;
};

}  // namespace bowerbird::state
