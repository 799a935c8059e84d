#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/keys.h"

namespace bowerbird::collect {

/// Hides that were acknowledged but perhaps not folded into state yet: they count from the moment of the
/// acknowledgement.
///
/// Data     user key -> hides with their log offsets, newest last. A reader takes those at or beyond what state has
/// folded. Threads  any thread at once. Bounds   at most `hides_max` hides in all. One more pushes out the one added
/// longest ago, which is the likeliest to have been
///          folded; dropped() counts those that no reader had seen folded.
class HideOverlay {
 public:
  struct Hide {
    std::string item;
    catalog::ItemKey key;
    uint64_t offset = 0;
  };
  explicit HideOverlay(uint64_t hides_max = 1u << 16);
  ~HideOverlay();

  void Add(catalog::UserKey user, std::string_view item, catalog::ItemKey key, uint64_t offset);
  /// An acknowledged unhide at `offset`: forgets the user's hides of the item before it. A hide that state has folded
  /// already holds until state folds the unhide, too.
  void Undo(catalog::UserKey user, catalog::ItemKey key, uint64_t offset);
  /// The user's hides with offset >= `folded_offset` (the end of what state folded of the user's partition), by offset.
  /// Those below are folded, and forgotten.
  std::vector<Hide> Unfolded(catalog::UserKey user, uint64_t folded_offset);
  uint64_t size() const;
  uint64_t dropped() const;

 private:
  struct Shard;
  Shard& ShardOf(catalog::UserKey user) const;
  uint64_t shard_hides_max_ = 0;
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace bowerbird::collect
