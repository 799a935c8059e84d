#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "log/event_log.h"

namespace bowerbird::log {

/// One partition's slice of a segment: offsets [begin, end).
struct SegmentPart {
  Offset begin = 0, end = 0;
  uint64_t records = 0;
  uint64_t bytes = 0;  ///< of stored runs, uncompressed
};

/// A stretch of a topic's history, all partitions together: the unit in which files are written once, found and
/// dropped.
struct Segment {
  uint32_t id = 0;
  int64_t last_append_time_us = 0;
  std::vector<SegmentPart> parts;  ///< by partition

  uint64_t bytes() const;
};
/// The stored form of a sealed segment, without its id (that is in the key).
std::string EncodeSegment(const Segment& segment);
/// DataLoss: checksum, version or partition count do not fit.
absl::StatusOr<Segment> DecodeSegment(uint32_t id, uint32_t partitions, std::string_view bytes);

/// The segments of one topic and what is retained of each partition, in memory.
///
/// Data     segments ascend by id and by offset; the last is active, the others are sealed. Never empty.
/// Threads  any; one writer calls Advance and Seal.
/// Cost     Locate: a binary search.
class SegmentTable {
 public:
  explicit SegmentTable(uint32_t partitions);

  /// Replaces everything: what Load found on disk. `segments` is not empty; its last is the active one.
  void Reset(std::deque<Segment> segments, std::vector<Offset> begins);

  uint32_t partitions() const { return partitions_; }
  struct Bounds {
    Offset begin = 0, end = 0;
  };
  Bounds bounds(uint32_t partition) const;
  /// True if some partition's end is beyond what `seen` says.
  bool AnyBeyond(std::span<const Offset> seen) const;
  struct Location {
    uint32_t segment = 0;
    Offset part_end = 0;
  };
  /// The segment that holds the first record at or after `offset`; none when there is no such offset yet.
  std::optional<Location> Locate(uint32_t partition, Offset offset) const;
  std::vector<PartitionStats> Stats(Topic topic) const;

  uint32_t active_id() const;
  uint64_t active_bytes() const;
  Segment active() const;
  std::vector<Segment> sealed() const;

  /// What a commit added to one partition of the active segment.
  struct Growth {
    uint32_t partition = 0;
    uint64_t records = 0, bytes = 0;
  };
  /// The active segment is sealed and a new one follows it.
  void Seal();
  void Advance(std::span<const Growth> growth, int64_t append_time_us);

  void SetBegins(const std::vector<Offset>& begins);
  std::vector<Offset> begins() const;
  /// The oldest sealed segment if nothing of it is retained; but the newest sealed one stays, as where the active one
  /// begins.
  std::optional<uint32_t> OldestDead() const;
  void RemoveOldest();
  /// Replaces a sealed segment by what compaction left of it.
  void Replace(const Segment& segment);

 private:
  const uint32_t partitions_;
  mutable std::shared_mutex mutex_;
  std::deque<Segment> segments_;
  std::vector<Offset> begins_;
  uint64_t active_bytes_ = 0;
};

}  // namespace bowerbird::log
