#include "log/segment_table.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "fmt/format.h"
#include "log/bytes.h"

namespace bowerbird::log {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

uint64_t Segment::bytes() const {
  uint64_t sum = 0;
  for (const SegmentPart& part : parts) sum += part.bytes;
  return sum;
}

std::string EncodeSegment(const Segment& segment) {
  std::string body;
  body.push_back(static_cast<char>(kVersion));
  AppendLittle(&body, segment.last_append_time_us);
  AppendLittle(&body, static_cast<uint32_t>(segment.parts.size()));
  for (const SegmentPart& part : segment.parts) {
    AppendLittle(&body, part.begin);
    AppendLittle(&body, part.end);
    AppendLittle(&body, part.records);
    AppendLittle(&body, part.bytes);
  }
  std::string bytes;
  AppendLittle(&bytes, base::Hash64(body));
  return bytes + body;
}

absl::StatusOr<Segment> DecodeSegment(uint32_t id, uint32_t partitions, std::string_view bytes) {
  uint64_t checksum = 0;
  if (!TakeLittle(&bytes, &checksum) || checksum != base::Hash64(bytes)) {
    return absl::DataLossError(fmt::format("the entry of segment {} does not pass its checksum", id));
  }
  uint8_t version = 0;
  Segment segment;
  segment.id = id;
  uint32_t count = 0;
  if (!TakeLittle(&bytes, &version) || version != kVersion) {
    return absl::DataLossError(
        fmt::format("the entry of segment {} has version {}; this program reads {}", id, version, kVersion));
  }
  if (!TakeLittle(&bytes, &segment.last_append_time_us) || !TakeLittle(&bytes, &count) || count != partitions ||
      bytes.size() != size_t{count} * 32) {
    return absl::DataLossError(fmt::format("the entry of segment {} does not have {} partitions", id, partitions));
  }
  segment.parts.resize(count);
  for (SegmentPart& part : segment.parts) {
    TakeLittle(&bytes, &part.begin);
    TakeLittle(&bytes, &part.end);
    TakeLittle(&bytes, &part.records);
    TakeLittle(&bytes, &part.bytes);
  }
  return segment;
}

SegmentTable::SegmentTable(uint32_t partitions) : partitions_(partitions) {
  segments_.push_back({0, 0, std::vector<SegmentPart>(partitions)});
  begins_.assign(partitions, 0);
}

void SegmentTable::Reset(std::deque<Segment> segments, std::vector<Offset> begins) {
  BOWERBIRD_CHECK(!segments.empty() && begins.size() == partitions_);
  std::unique_lock lock(mutex_);
  segments_ = std::move(segments);
  begins_ = std::move(begins);
  active_bytes_ = segments_.back().bytes();
}

SegmentTable::Bounds SegmentTable::bounds(uint32_t partition) const {
  std::shared_lock lock(mutex_);
  return {begins_[partition], segments_.back().parts[partition].end};
}

bool SegmentTable::AnyBeyond(std::span<const Offset> seen) const {
  std::shared_lock lock(mutex_);
  const std::vector<SegmentPart>& parts = segments_.back().parts;
  for (size_t p = 0; p < parts.size(); ++p) {
    if (parts[p].end > (p < seen.size() ? seen[p] : 0)) return true;
  }
  return false;
}

std::optional<SegmentTable::Location> SegmentTable::Locate(uint32_t partition, Offset offset) const {
  std::shared_lock lock(mutex_);
  const auto found = std::partition_point(segments_.begin(), segments_.end(), [&](const Segment& segment) {
    return segment.parts[partition].end <= offset;
  });
  if (found == segments_.end()) return std::nullopt;
  return Location{found->id, found->parts[partition].end};
}

std::vector<PartitionStats> SegmentTable::Stats(Topic topic) const {
  std::shared_lock lock(mutex_);
  std::vector<PartitionStats> stats(partitions_);
  for (uint32_t p = 0; p < partitions_; ++p) {
    PartitionStats& out = stats[p];
    out = {topic, p, begins_[p], segments_.back().parts[p].end, 0, 0};
    for (const Segment& segment : segments_) {
      const SegmentPart& part = segment.parts[p];
      if (part.end <= out.begin) continue;
      // Of a segment that is cut by `begin`, records and bytes are taken in proportion: exact where no compaction was.
      const double share = part.begin >= out.begin
                               ? 1.0
                               : static_cast<double>(part.end - out.begin) / static_cast<double>(part.end - part.begin);
      out.records += static_cast<uint64_t>(std::llround(share * static_cast<double>(part.records)));
      *out.bytes += static_cast<uint64_t>(std::llround(share * static_cast<double>(part.bytes)));
    }
  }
  return stats;
}

uint32_t SegmentTable::active_id() const {
  std::shared_lock lock(mutex_);
  return segments_.back().id;
}

uint64_t SegmentTable::active_bytes() const {
  std::shared_lock lock(mutex_);
  return active_bytes_;
}

Segment SegmentTable::active() const {
  std::shared_lock lock(mutex_);
  return segments_.back();
}

std::vector<Segment> SegmentTable::sealed() const {
  std::shared_lock lock(mutex_);
  return {segments_.begin(), segments_.end() - 1};
}

void SegmentTable::Seal() {
  std::unique_lock lock(mutex_);
  Segment next;
  next.id = segments_.back().id + 1;
  next.last_append_time_us = segments_.back().last_append_time_us;
  next.parts.resize(partitions_);
  for (uint32_t p = 0; p < partitions_; ++p) {
    next.parts[p].begin = next.parts[p].end = segments_.back().parts[p].end;
  }
  segments_.push_back(std::move(next));
  active_bytes_ = 0;
}

void SegmentTable::Advance(std::span<const Growth> growth, int64_t append_time_us) {
  std::unique_lock lock(mutex_);
  Segment& active = segments_.back();
  active.last_append_time_us = append_time_us;
  for (const Growth& grown : growth) {
    SegmentPart& part = active.parts[grown.partition];
    part.end += grown.records;
    part.records += grown.records;
    part.bytes += grown.bytes;
    active_bytes_ += grown.bytes;
  }
}

void SegmentTable::SetBegins(const std::vector<Offset>& begins) {
  std::unique_lock lock(mutex_);
  begins_ = begins;
}

std::vector<Offset> SegmentTable::begins() const {
  std::shared_lock lock(mutex_);
  return begins_;
}

std::optional<uint32_t> SegmentTable::OldestDead() const {
  std::shared_lock lock(mutex_);
  if (segments_.size() < 3) return std::nullopt;
  const Segment& oldest = segments_.front();
  for (uint32_t p = 0; p < partitions_; ++p) {
    if (oldest.parts[p].end > begins_[p]) return std::nullopt;
  }
  return oldest.id;
}

void SegmentTable::RemoveOldest() {
  std::unique_lock lock(mutex_);
  BOWERBIRD_CHECK(segments_.size() >= 3);
  segments_.pop_front();
}

void SegmentTable::Replace(const Segment& segment) {
  std::unique_lock lock(mutex_);
  for (Segment& mine : segments_) {
    if (mine.id == segment.id) mine = segment;
  }
}

}  // namespace bowerbird::log
