#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/byte_codec.h"
#include "state/user_state.h"

namespace bowerbird::state {

/// Which items a user has seen: impressions, and the items of actions that left for a lifelong block. Bounded; the same
/// marks give the same items, in whatever order equal times come.
class SeenItems {
 public:
  /// Adds impressions and takes the later time.
  void Mark(catalog::ItemKey item, uint32_t time_s, uint32_t impressions);
  /// By item.
  std::vector<SeenItem> Sorted() const;
  size_t size() const { return items_.size(); }

  void Encode(std::string* out) const;
  /// Not to be used when the reader is not ok() after it.
  void Decode(base::Reader* in);
  /// Brings what Mark of this item touches nearer to the processor.
  void Prefetch(catalog::ItemKey item) const;
  size_t MemoryBytes() const { return items_.capacity() * sizeof(SeenItem); }

 private:
  SeenItem* Find(catalog::ItemKey item);
  void SortTail();
  void DropOldest();

  // [0, sorted_) by item; the rest as it came, so that not each new item moves all that sort behind it.
  std::vector<SeenItem> items_;
  size_t sorted_ = 0;
};

/// Folds a mark into what is known of the same item.
void MergeSeen(SeenItem* into, uint32_t time_s, uint32_t impressions);

inline constexpr size_t kSeenMax = 2048;  ///< after a sweep; a sweep drops the oldest kSeenSweep at once
inline constexpr size_t kSeenSweep = 256;

}  // namespace bowerbird::state
