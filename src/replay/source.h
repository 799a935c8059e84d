#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bowerbird/v1/event.pb.h"
#include "log/event_log.h"

namespace bowerbird::replay {

/// One record of the events topic.
struct EventRecord {
  log::Offset offset = 0;
  int64_t append_time_us = 0;
  const v1::Event* event = nullptr;  ///< null: the value is not a v1::Event
  std::string_view key, value;       ///< as stored
};

/// Consecutive records of one partition, decoded. Reused from read to read, so that its memory is allocated once.
///
/// Threads  one at a time.
class EventBatch {
 public:
  std::span<const EventRecord> records() const { return records_; }
  /// Where the next read starts: past the last record, or moved up to the first one that the log still holds.
  log::Offset next_offset() const { return next_offset_; }

 private:
  friend class Source;
  log::ReadResult raw_;
  std::vector<v1::Event> events_;
  std::vector<EventRecord> records_;
  log::Offset next_offset_ = 0;
};

/// What to replay: offsets [begin[p], end[p]) of each partition p.
struct Range {
  std::vector<log::Offset> begin, end;
};

/// History as one source: the events topic of the log, partition by partition in offset order. An app hands it a log
/// that reaches back into the lake (lake/log_with_history.h).
///
/// Threads  every member may be called from any thread, each with its own EventBatch.
/// Errors   those of EventLog::Read.
class Source {
 public:
  static constexpr size_t kBatchRecordsMax = 1024;
  static constexpr size_t kBatchBytesMax = 1u << 20;

  /// `log` must outlive the source.
  explicit Source(const log::EventLog* log) : log_(log) {}

  uint32_t partitions() const { return log_->PartitionCount(log::Topic::kEvents); }
  /// All that the log holds now.
  absl::StatusOr<Range> Whole() const;
  /// From the oldest record held up to `ends`, exclusive. InvalidArgument: not one offset for each partition.
  /// OutOfRange: an end that the log has not reached.
  absl::StatusOr<Range> Until(std::span<const log::Offset> ends) const;
  /// Records whose append time is in [from_us, to_us).
  absl::StatusOr<Range> Appended(int64_t from_us, int64_t to_us) const;

  /// Replaces `batch` by the next records of `partition` in [offset, end): none when there are none yet or `offset` is
  /// the end.
  absl::Status Read(uint32_t partition, log::Offset offset, log::Offset end, EventBatch* batch) const;

  /// Calls `visit` for every batch of the range: one partition in order and on one thread, partitions beside each other
  /// on `threads` threads, each as far at a time as EventLog::ReadTogether says. The first error, of the log or of
  /// `visit`, stops the replay and is returned.
  using Visit = std::function<absl::Status(uint32_t partition, const EventBatch& batch)>;
  absl::Status ForEach(const Range& range, uint32_t threads, const Visit& visit) const;

 private:
  /// ForEach of `at` to `until`, by partition; moves `at`.
  absl::Status ForEachBelow(std::span<const log::Offset> until, uint32_t threads, const Visit& visit,
                            std::vector<log::Offset>* at) const;

  const log::EventLog* log_;
};

}  // namespace bowerbird::replay
