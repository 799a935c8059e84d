#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "state/user_state.h"

namespace bowerbird::state {

/// Prints of the newest client ids of one user, in fold order.
class PrintWindow {
 public:
  bool Contains(uint64_t print) const;
  /// Adds a print, then drops the oldest while there are more than `prints_max`, or while they were received more than
  /// `window_us` before this one (0 = any time).
  void Add(uint64_t print, int64_t event_time_us, int64_t receive_time_us, uint32_t prints_max, int64_t window_us);
  /// True if an event of this time may have been among the dropped ones: whether it is new cannot be told any more.
  bool MayHaveDropped(int64_t event_time_us) const;

  void Encode(std::string* out) const;
  /// False: the bytes are damaged.
  bool Decode(class Reader* in);
  size_t size() const { return prints_.size() - first_; }
  void Prefetch() const {
    for (size_t i = first_; i < prints_.size(); i += 64 / sizeof(uint64_t)) __builtin_prefetch(&prints_[i]);
  }
  size_t MemoryBytes() const { return prints_.capacity() * (sizeof(uint64_t) + 2 * sizeof(uint32_t)); }

 private:
  // The window is [first_, end): dropping moves first_, and the front is freed when it is as long as the window.
  std::vector<uint64_t> prints_;
  std::vector<uint32_t> event_times_s_, receive_times_h_;
  size_t first_ = 0;
  uint32_t dropped_until_s_ = 0;  ///< 1 + the newest event time among the dropped; 0 = none dropped
};

/// Up to where what another id hands over has been taken in.
struct MergedSource {
  catalog::UserKey source;
  uint64_t offset = 0;  ///< of the source's partition, inclusive
};

/// What the store keeps of a user under one key; older actions lie in lifelong blocks under keys of their own.
///
/// Equal sequences of operations give equal records and equal bytes, however they are cut by flushes, merges and
/// evictions.
struct UserRecord {
  std::string id;
  uint64_t events = 0;
  int64_t first_time_us = 0, last_time_us = 0;
  uint64_t actions_total = 0;   ///< ever; the newest actions.size() of them are here
  std::vector<Action> actions;  ///< fold order
  std::vector<SeenItem> seen;  ///< sorted by item: impressions, and the items of actions that left for a lifelong block
  PrintWindow prints;
  std::vector<catalog::ItemKey> hidden;  ///< fold order
  std::vector<CollectionState> collections;
  std::vector<Affinity> affinities;
  /// Whom the id has become; empty: nobody. What it did has gone there, and what it does goes on there.
  std::string becomes;
  catalog::UserKey becomes_key;
  std::vector<MergedSource> merged;  ///< in the order of the last merge
  /// Of a record that is handed over: what is to be shown again. A user's own record has none.
  std::vector<catalog::ItemKey> unhidden;

  /// Whether what `source` hands over with its record at `offset` is here already.
  bool HasMerged(catalog::UserKey source, uint64_t offset) const;
  void MarkSeen(catalog::ItemKey item, uint32_t time_s, uint32_t impressions);
  size_t MemoryBytes() const;
};

/// Bounds of what a record holds beside the ones that the config sets.
inline constexpr size_t kSeenMax = 2048;  ///< after a sweep; a sweep drops the oldest kSeenSweep at once
inline constexpr size_t kSeenSweep = 256;
inline constexpr size_t kHiddenMax = 8192;      ///< the oldest is dropped beyond
inline constexpr size_t kCollectionsMax = 256;  ///< the first made is dropped beyond
inline constexpr size_t kCollectionItemsMax =
    8192;  ///< over all collections of a user; the first added of the first is dropped beyond
inline constexpr uint32_t kLifelongBlock = 64;  ///< actions in a lifelong block
inline constexpr size_t kMergedMax = 256;       ///< the one that handed over the longest ago is dropped beyond
inline constexpr uint32_t kMergeHopsMax = 4;    ///< a chain or circle of ids ends after so many steps

std::string EncodeUserRecord(const UserRecord& record);
/// DataLoss: not the bytes of a record, or of a later format.
absl::StatusOr<UserRecord> DecodeUserRecord(std::string_view bytes);

std::string EncodeLifelongBlock(const Action* actions);  ///< kLifelongBlock of them
absl::StatusOr<std::vector<Action>> DecodeLifelongBlock(std::string_view bytes);

/// The copy that a request works on: at most `sequence_max` actions, those of hidden items left out.
std::shared_ptr<UserState> MakeUserState(catalog::UserKey key, const UserRecord& record, uint32_t sequence_max);

}  // namespace bowerbird::state
