#pragma once

#include <algorithm>
#include <cstdint>

namespace bowerbird::state {

/// Partitions [first, end) of the events topic: those that one node folds. Everything by default.
struct PartitionRange {
  uint32_t first = 0;
  uint32_t end = UINT32_MAX;

  bool Has(uint32_t partition) const { return partition >= first && partition < end; }
  /// Whether it leaves any of `partitions` out.
  bool IsPart(uint32_t partitions) const { return first > 0 || end < partitions; }
  friend bool operator==(const PartitionRange&, const PartitionRange&) = default;
};

}  // namespace bowerbird::state
