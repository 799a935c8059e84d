#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "log/event_log.h"

namespace bowerbird::simulation {

/// What a MemoryLog has made durable: outlives the log, as a disk outlives a process.
struct LogDisk {
  struct Part {
    log::Offset begin = 0;
    std::deque<log::Record> records;
    log::Offset end() const { return begin + records.size(); }
  };
  std::map<std::pair<log::Topic, uint32_t>, Part> parts;
  int64_t last_append_time_us = 0;
};

/// The log's twin in memory. It passes the contract suite of EventLog, and can be held: then appends wait until the
/// simulation decides what becomes of them.
///
/// Threads  any, while it is not held; one, while it is.
class MemoryLog final : public log::EventLog {
 public:
  MemoryLog(LogDisk* disk, const base::Clock* clock, uint32_t user_partitions)
      : disk_(disk), clock_(clock), user_partitions_(user_partitions) {}

  /// From now on AppendAsync only queues. Append commits what is queued, then its own batch.
  void Hold() { held_ = true; }
  size_t pending() const { return pending_.size(); }
  /// Makes the first `count` queued batches durable in one write, and answers them.
  void Commit(size_t count);
  /// The write of the first `count` queued batches fails, and they are told so. `kept`: it was the fsync that failed,
  /// and they are there all the same.
  void Fail(size_t count, bool kept);
  /// The process ends: the first `count` queued batches have become durable, the others have not, and nobody is told.
  void Crash(size_t count);

  uint32_t PartitionCount(log::Topic topic) const override;
  absl::StatusOr<std::vector<log::Offset>> Append(std::vector<log::AppendRecord> batch) override;
  void AppendAsync(std::vector<log::AppendRecord> batch, AppendDone done) override;
  absl::StatusOr<log::ReadResult> Read(log::Topic topic, uint32_t partition, log::Offset offset, size_t records_max,
                                       size_t bytes_max) const override;
  absl::StatusOr<log::Offset> BeginOffset(log::Topic topic, uint32_t partition) const override;
  absl::StatusOr<log::Offset> EndOffset(log::Topic topic, uint32_t partition) const override;
  bool WaitForAppend(log::Topic topic, std::span<const log::Offset> seen_ends, int64_t timeout_us) const override;
  absl::Status Truncate(log::Topic topic, uint32_t partition, log::Offset offset) override;
  absl::StatusOr<log::Offset> OffsetAtTime(log::Topic topic, uint32_t partition, int64_t time_us) const override;
  absl::StatusOr<std::vector<log::PartitionStats>> Stats() const override;

 private:
  struct Pending {
    std::vector<log::AppendRecord> batch;
    AppendDone done;
  };
  absl::Status Check(const std::vector<log::AppendRecord>& batch) const;
  absl::Status CheckPartition(log::Topic topic, uint32_t partition) const;
  std::vector<log::Offset> Store(std::vector<log::AppendRecord> batch);  // with mutex_ held
  const LogDisk::Part& PartOf(log::Topic topic, uint32_t partition) const { return disk_->parts[{topic, partition}]; }

  LogDisk* const disk_;
  const base::Clock* const clock_;
  const uint32_t user_partitions_;
  bool held_ = false;
  std::deque<Pending> pending_;
  mutable std::mutex mutex_;  ///< of the disk
  mutable std::condition_variable appended_;
};

}  // namespace bowerbird::simulation
