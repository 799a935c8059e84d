#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace bowerbird::signal {

/// Into how many buckets a window is cut. A count over the window spans at most the window, and lacks at most one
/// bucket of it.
inline constexpr uint64_t kWindowBuckets = 48;

/// How wide the buckets of a window are.
inline int64_t BucketWidthUs(int64_t window_us) {
  const int64_t width_us = window_us / static_cast<int64_t>(kWindowBuckets);
  return width_us > 0 ? width_us : 1;
}

/// Counts by time bucket, as bytes: the newest bucket and its count, then each older one's distance to the one before
/// and its count (varints). No bytes: nothing counted.
///
/// Kept are the newest bucket and those less than a window older than the second newest: so one bucket of a clock that
/// ran ahead takes nothing away. What is kept depends on what was added alone, in whatever order and grouping.
///
/// Bounds   kWindowBuckets + 1 buckets.
void AddToBucket(uint64_t bucket, uint64_t count, std::string* bytes);
void MergeWindowCounts(std::string_view other, std::string* bytes);
/// The sum over the window that ends with `bucket`.
uint64_t WindowCount(std::string_view bytes, uint64_t bucket);
/// DataLoss: not such bytes. The others take what passes.
absl::Status CheckWindowCounts(std::string_view bytes);

}  // namespace bowerbird::signal
