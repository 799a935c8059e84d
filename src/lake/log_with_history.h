#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "lake/group_cache.h"
#include "lake/lake.h"
#include "lake/table_history.h"
#include "log/event_log.h"

namespace bowerbird::lake {

/// A log whose topics `events` and `served` reach back into the lake: what the log has dropped is read from the tables,
/// as far back as they have every record (table_history.h). So whatever is derived from events has one source, whose
/// past does not end with the log's retention. Everything else is the log's own.
///
/// Data     keys, offsets and append times as the log had them; values that decode to the same message.
/// Threads  as EventLog.
/// Bounds   kCacheBytes of row groups, given back when nobody has read the past for a while.
/// Cost     none as long as the log has everything from its first record on: no file of the lake is touched. Then what
///          `./dev bench pipeline --parts rebuild` says of the lake; a reader of several partitions asks ReadTogether.
/// Errors   as EventLog. OutOfRange also says of the past why it ends; DataLoss and Unavailable also of the lake.
class LogWithHistory final : public log::EventLog {
 public:
  static constexpr size_t kCacheBytes = 256u << 20;

  /// Both outlive it. The lake's tables are of this log.
  LogWithHistory(log::EventLog* log, Lake* lake, size_t cache_bytes = kCacheBytes);

  uint32_t PartitionCount(log::Topic topic) const override { return log_.PartitionCount(topic); }
  absl::StatusOr<std::vector<log::Offset>> Append(std::vector<log::AppendRecord> batch) override {
    return log_.Append(std::move(batch));
  }
  void AppendAsync(std::vector<log::AppendRecord> batch, AppendDone done) override {
    log_.AppendAsync(std::move(batch), std::move(done));
  }
  absl::StatusOr<log::ReadResult> Read(log::Topic topic, uint32_t partition, log::Offset offset, size_t records_max,
                                       size_t bytes_max) const override;
  absl::StatusOr<log::Offset> BeginOffset(log::Topic topic, uint32_t partition) const override;
  absl::StatusOr<log::Offset> EndOffset(log::Topic topic, uint32_t partition) const override {
    return log_.EndOffset(topic, partition);
  }
  bool WaitForAppend(log::Topic topic, std::span<const log::Offset> seen_ends, int64_t timeout_us) const override;
  /// Of the log alone: what the lake has stays reachable.
  absl::Status Truncate(log::Topic topic, uint32_t partition, log::Offset offset) override {
    return log_.Truncate(topic, partition, offset);
  }
  absl::StatusOr<log::Offset> OffsetAtTime(log::Topic topic, uint32_t partition, int64_t time_us) const override;
  /// Of the past, records are counted by their offsets, and bytes are not known.
  absl::StatusOr<std::vector<log::PartitionStats>> Stats() const override;
  std::vector<log::Offset> ReadTogether(log::Topic topic, std::span<const log::Offset> from) const override;

  size_t cached_bytes() const { return cache_.bytes(); }

 private:
  /// Null: the topic has none, or nothing is in its table yet.
  absl::StatusOr<TableHistory*> PastOf(log::Topic topic) const;
  static bool HasPast(log::Topic topic);

  log::EventLog& log_;
  Lake& lake_;
  mutable GroupCache cache_;
  mutable absl::Mutex mutex_;
  mutable std::array<std::unique_ptr<TableHistory>, 2> histories_ ABSL_GUARDED_BY(mutex_);  ///< of events, of served
};

}  // namespace bowerbird::lake
