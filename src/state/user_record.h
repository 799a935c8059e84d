#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "state/print_window.h"
#include "state/seen_items.h"
#include "state/user_mark.h"
#include "state/user_state.h"

namespace bowerbird::state {

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
  SeenItems seen;
  PrintWindow prints;
  std::vector<catalog::ItemKey> hidden;  ///< fold order
  std::vector<CollectionState> collections;
  std::vector<Affinity> affinities;
  /// Whom the id has become; empty: nobody. What it did has gone there, and what it does goes on there.
  std::string becomes;
  catalog::UserKey becomes_key;
  std::vector<MergedSource> merged;  ///< in the order of the last merge
  UserMark mark;
  /// Of a record that is handed over: what is to be shown again. A user's own record has none.
  std::vector<catalog::ItemKey> unhidden;

  /// Whether what `source` hands over with its record at `offset` is here already.
  bool HasMerged(catalog::UserKey source, uint64_t offset) const;
  size_t MemoryBytes() const;
};

/// Bounds of what a record holds beside the ones that the config sets.
inline constexpr size_t kHiddenMax = 8192;      ///< the oldest is dropped beyond
inline constexpr size_t kCollectionsMax = 256;  ///< the first made is dropped beyond
inline constexpr size_t kCollectionItemsMax =
    8192;  ///< over all collections of a user; the first added of the first is dropped beyond
inline constexpr uint32_t kLifelongBlock = 64;         ///< actions in a lifelong block
inline constexpr uint32_t kMovedBlocksMax = 1u << 14;  ///< lifelong blocks that one id hands over
inline constexpr size_t kMergedMax = 256;              ///< the one that handed over the longest ago is dropped beyond
inline constexpr uint32_t kMergeHopsMax = 4;           ///< a chain or circle of ids ends after so many steps

/// How many of the user's actions' blocks have left the record.
inline uint32_t LifelongBlocks(const UserRecord& record) {
  return static_cast<uint32_t>((record.actions_total - record.actions.size()) / kLifelongBlock);
}

void EncodeUserMark(const UserMark& mark, std::string* out);
/// False: the bytes are damaged.
bool DecodeUserMark(base::Reader* in, UserMark* mark);

std::string EncodeUserRecord(const UserRecord& record);
/// DataLoss: not the bytes of a record, or of a later format.
absl::StatusOr<UserRecord> DecodeUserRecord(std::string_view bytes);

std::string EncodeLifelongBlock(const Action* actions);  ///< kLifelongBlock of them
absl::StatusOr<std::vector<Action>> DecodeLifelongBlock(std::string_view bytes);

/// The copy that a request works on: at most `sequence_max` actions, those of hidden items left out.
std::shared_ptr<UserState> MakeUserState(catalog::UserKey key, const UserRecord& record, uint32_t sequence_max);

}  // namespace bowerbird::state
