#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "signal/definition.h"
#include "state/partition_range.h"

/// One value made of what each partition counted, bit for bit the same on every node. Sums of decayed numbers depend on
/// the order in which they are added, and so does what gives way in a full table. So values are merged along one tree,
/// whoever merges them: halves of the partitions, halves of these, and so on, the lower half first.
namespace bowerbird::state {

/// The inner nodes of the tree that make up `owned`, ascending: the fewest. Of everything: one. `partitions` is a power
/// of two.
std::vector<PartitionRange> BlocksOf(const PartitionRange& owned, uint32_t partitions);
/// Whether it is a node of the tree.
bool IsBlock(const PartitionRange& block, uint32_t partitions);

struct BlockValue {
  PartitionRange block;
  std::string_view value;  ///< of the definition, not empty
};
/// What the values of different blocks, ascending, all within `block`, are together; no bytes without any.
std::string MergeBlocks(const signal::Definition& definition, std::span<const BlockValue> values,
                        const PartitionRange& block);

}  // namespace bowerbird::state
