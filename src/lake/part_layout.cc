#include "lake/part_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <optional>

#include "base/status_macros.h"

namespace bowerbird::lake {
namespace {

/// Of a row group's bounds.
enum Bound : uint8_t { kOfPartition, kOfAppendTime };

struct Described {
  std::unique_ptr<ParquetReader> reader;
  std::vector<LogRange> ranges;
  bool dense = false;
};

absl::StatusOr<Described> Describe(const Table& table, const std::string& path) {
  Described described;
  ASSIGN_OR_RETURN(described.reader, OpenParquet(path, *table.fields));
  ASSIGN_OR_RETURN(PartDescription description, DescribePart(described.reader->metadata(), path));
  described.ranges = std::move(description.ranges);
  uint64_t offsets = 0;
  for (const LogRange& range : described.ranges) {
    if (range.begin >= range.end || range.end - range.begin > uint64_t{1} << 48)
      return absl::DataLossError(fmt::format("{}: the file names offsets {} to {}", path, range.begin, range.end));
    offsets += range.end - range.begin;
  }
  described.dense = offsets == static_cast<uint64_t>(described.reader->rows());
  return described;
}

bool ByOffset(const LogRange& a, const LogRange& b) {
  return std::pair(a.partition, a.begin) < std::pair(b.partition, b.begin);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const PartIndex>> IndexPart(const Table& table, const TableStore& store,
                                                           const Part& part) {
  static std::atomic<uint64_t> next_id = 0;
  RETURN_IF_ERROR(store.Check(part, true));
  auto index = std::make_shared<PartIndex>();
  index->id = next_id++;
  index->part = part.path;
  index->path = store.PathOf(part);
  index->first_us = part.first_us;
  index->last_us = part.last_us;
  ASSIGN_OR_RETURN(Described described, Describe(table, index->path));
  index->dense = described.dense;
  std::ranges::sort(described.ranges, ByOffset);
  for (const LogRange& range : described.ranges) {
    if (!index->spans.empty() && index->spans.back().partition == range.partition &&
        index->spans.back().end == range.begin) {
      index->spans.back().end = range.end;
    } else {
      index->spans.push_back(range);
    }
  }
  index->spans.shrink_to_fit();
  return index;
}

absl::StatusOr<std::shared_ptr<const PartLayout>> PartLayout::Read(const Table& table, const PartIndex& index) {
  ASSIGN_OR_RETURN(Described described, Describe(table, index.path));
  auto layout = std::shared_ptr<PartLayout>(new PartLayout());
  layout->ranges_ = std::move(described.ranges);
  layout->dense_ = described.dense;
  uint64_t row = 0;
  for (const LogRange& range : layout->ranges_) {
    layout->range_rows_.push_back(row);
    row += range.end - range.begin;
  }
  layout->by_partition_.resize(layout->ranges_.size());
  std::iota(layout->by_partition_.begin(), layout->by_partition_.end(), 0u);
  std::ranges::sort(layout->by_partition_,
                    [&](uint32_t a, uint32_t b) { return ByOffset(layout->ranges_[a], layout->ranges_[b]); });
  const Field& time = (*table.fields)[kAppendTime];
  ASSIGN_OR_RETURN(layout->groups_, described.reader->Groups({(*table.fields)[kPartition].name, time.name}));
  layout->group_rows_.push_back(0);
  for (const RowGroup& group : layout->groups_)
    layout->group_rows_.push_back(layout->group_rows_.back() + static_cast<uint64_t>(group.rows));
  return layout;
}

std::span<const uint32_t> PartLayout::RangesOf(uint32_t partition) const {
  const auto found =
      std::ranges::equal_range(by_partition_, partition, {}, [&](uint32_t range) { return ranges_[range].partition; });
  return {found.begin(), found.end()};
}

std::pair<size_t, size_t> PartLayout::GroupsOf(uint32_t range, log::Offset offset) const {
  if (!dense_) return {0, groups_.size()};
  const LogRange& of = ranges_[range];
  const uint64_t first_row = range_rows_[range] + (std::clamp(offset, of.begin, of.end) - of.begin);
  const uint64_t end_row = range_rows_[range] + (of.end - of.begin);
  const auto group_of = [&](uint64_t row) {
    return static_cast<size_t>(std::ranges::upper_bound(group_rows_, row) - group_rows_.begin()) - 1;
  };
  if (first_row >= end_row) return {groups_.size(), groups_.size()};
  return {group_of(first_row), std::min(groups_.size(), group_of(end_row - 1) + 1)};
}

size_t PartLayout::bytes() const {
  constexpr size_t kGroupBytes =
      sizeof(RowGroup) + 2 * sizeof(std::optional<std::pair<int64_t, int64_t>>) + sizeof(uint64_t);
  return sizeof(*this) + ranges_.size() * (sizeof(LogRange) + sizeof(uint64_t) + sizeof(uint32_t)) +
         groups_.size() * kGroupBytes;
}

bool PartLayout::MayHave(size_t group, uint32_t partition, int64_t time_us) const {
  const auto& bounds = groups_[group].bounds;
  const auto& partitions = bounds[kOfPartition];
  const auto& times = bounds[kOfAppendTime];
  const auto wanted = static_cast<int64_t>(partition);
  return (!partitions.has_value() || (partitions->first <= wanted && wanted <= partitions->second)) &&
         (!times.has_value() || times->second >= time_us);
}

}  // namespace bowerbird::lake
