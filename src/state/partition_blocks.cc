#include "state/partition_blocks.h"

#include <algorithm>
#include <bit>

namespace bowerbird::state {
namespace {

void AddBlocks(const PartitionRange& owned, const PartitionRange& block, std::vector<PartitionRange>* blocks) {
  if (owned.first >= block.end || owned.end <= block.first) return;
  if (owned.first <= block.first && owned.end >= block.end) return blocks->push_back(block);
  const uint32_t middle = block.first + (block.end - block.first) / 2;
  AddBlocks(owned, {block.first, middle}, blocks);
  AddBlocks(owned, {middle, block.end}, blocks);
}

}  // namespace

std::vector<PartitionRange> BlocksOf(const PartitionRange& owned, uint32_t partitions) {
  std::vector<PartitionRange> blocks;
  AddBlocks(owned, {0, partitions}, &blocks);
  return blocks;
}

bool IsBlock(const PartitionRange& block, uint32_t partitions) {
  if (block.first >= block.end || block.end > partitions) return false;
  const uint32_t width = block.end - block.first;
  return std::has_single_bit(width) && block.first % width == 0;
}

std::string MergeBlocks(const signal::Definition& definition, std::span<const BlockValue> values,
                        const PartitionRange& block) {
  if (values.empty()) return {};
  if (values.size() == 1) return std::string(values.front().value);
  const uint32_t middle = block.first + (block.end - block.first) / 2;
  const auto upper = std::ranges::lower_bound(values, middle, {}, [](const BlockValue& v) { return v.block.first; });
  const auto lower_count = static_cast<size_t>(upper - values.begin());
  std::string merged = MergeBlocks(definition, values.first(lower_count), {block.first, middle});
  const std::string other = MergeBlocks(definition, values.subspan(lower_count), {middle, block.end});
  if (merged.empty()) return other;
  definition.Merge(other, &merged);
  return merged;
}

}  // namespace bowerbird::state
