#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/byte_codec.h"

namespace bowerbird::state {

/// Prints of the newest client ids of one user, in fold order.
///
/// Threads  one at a time, readers too: Contains builds what it needs.
class PrintWindow {
 public:
  bool Contains(uint64_t print) const;
  /// Adds a print, then drops the oldest while there are more than `prints_max`, or while they were received more than
  /// `window_us` before this one (0 = any time).
  void Add(uint64_t print, int64_t event_time_us, int64_t receive_time_us, uint32_t prints_max, int64_t window_us);
  /// Drops everything; events of before `time_us`, in whole seconds, may have been among the dropped.
  void Forget(int64_t time_us);
  /// True if an event of this time may have been among the dropped ones: whether it is new cannot be told any more.
  bool MayHaveDropped(int64_t event_time_us) const;

  /// The earliest event time (seconds) of the newest `count` prints, where `within` holds of each; else 0. Mostly one
  /// question.
  template <typename Within>
  uint32_t OldestOfNewest(size_t count, const Within& within) const {
    if (size() < count) return 0;
    uint32_t oldest_s = std::numeric_limits<uint32_t>::max();
    for (auto print = prints_.end() - static_cast<ptrdiff_t>(count); print != prints_.end(); ++print) {
      if (!within(print->event_time_s)) return 0;
      oldest_s = std::min(oldest_s, print->event_time_s);
    }
    return oldest_s;
  }

  void Encode(std::string* out) const;
  /// False: the bytes are damaged.
  bool Decode(base::Reader* in);
  size_t size() const { return prints_.size() - first_; }
  /// Brings what Contains and Add of this print touch nearer to the processor.
  void Prefetch(uint64_t print) const;
  size_t MemoryBytes() const { return prints_.capacity() * sizeof(Print) + filter_.capacity() * sizeof(uint64_t); }

 private:
  struct Print {
    uint64_t print;
    uint32_t event_time_s, receive_time_h;
  };

  bool Find(uint64_t print) const;
  void AddToFilter(uint64_t print) const;
  void BuildFilter() const;

  // The window is [first_, end): dropping moves first_, and the front is freed when it is a quarter of the window.
  std::vector<Print> prints_;
  size_t first_ = 0;
  // A Bloom filter whose bits for a print lie in one word (Putze, Sanders, Singler 2007, "blocked"), since nearly every
  // print that comes is new. Dropped prints stay in it until it is built again. Empty while the window is short, and
  // until somebody asks: records that are only merged and written have none.
  mutable std::vector<uint64_t> filter_;
  mutable size_t filtered_ = 0;   ///< prints in the filter, the dropped ones too
  uint32_t dropped_until_s_ = 0;  ///< 1 + the newest event time among the dropped; 0 = none dropped
};

}  // namespace bowerbird::state
