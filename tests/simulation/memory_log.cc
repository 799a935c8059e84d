#include "simulation/memory_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/status_macros.h"

namespace bowerbird::simulation {

using log::AppendRecord;
using log::Offset;
using log::Topic;

uint32_t MemoryLog::PartitionCount(Topic topic) const { return log::HasOnePartition(topic) ? 1 : user_partitions_; }

absl::Status MemoryLog::CheckPartition(Topic topic, uint32_t partition) const {
  if (std::ranges::find(log::kAllTopics, topic) == std::end(log::kAllTopics) || partition >= PartitionCount(topic)) {
    return absl::InvalidArgumentError(fmt::format("no partition {} of topic {}", partition, static_cast<int>(topic)));
  }
  return absl::OkStatus();
}

absl::Status MemoryLog::Check(const std::vector<AppendRecord>& batch) const {
  size_t bytes = 0;
  for (const AppendRecord& record : batch) {
    RETURN_IF_ERROR(CheckPartition(record.topic, record.partition));
    if (record.key.size() > 256) return absl::InvalidArgumentError("key over 256 bytes");
    if (record.value.size() > kValueBytesMax) return absl::InvalidArgumentError("value over its limit");
    bytes += record.key.size() + record.value.size();
  }
  if (bytes > kBatchBytesMax) return absl::InvalidArgumentError("batch over its limit");
  return absl::OkStatus();
}

std::vector<Offset> MemoryLog::Store(std::vector<AppendRecord> batch) {
  disk_->last_append_time_us = std::max(disk_->last_append_time_us, clock_->NowUs());
  std::vector<Offset> offsets;
  for (AppendRecord& record : batch) {
    LogDisk::Part& part = disk_->parts[{record.topic, record.partition}];
    offsets.push_back(part.end());
    part.records.push_back(
        {offsets.back(), disk_->last_append_time_us, std::move(record.key), std::move(record.value)});
  }
  return offsets;
}

void MemoryLog::Commit(size_t count) {
  std::vector<std::pair<AppendDone, std::vector<Offset>>> answers;
  for (; count > 0; --count) {
    Pending next = std::move(pending_.front());
    pending_.pop_front();
    const std::lock_guard lock(mutex_);
    answers.emplace_back(std::move(next.done), Store(std::move(next.batch)));
  }
  for (auto& [done, offsets] : answers) done(std::move(offsets));
}

void MemoryLog::Fail(size_t count, bool kept) {
  for (; count > 0; --count) {
    Pending next = std::move(pending_.front());
    pending_.pop_front();
    if (kept) {
      const std::lock_guard lock(mutex_);
      Store(std::move(next.batch));
    }
    next.done(absl::UnavailableError("the simulated disk refused the log's write"));
  }
}

void MemoryLog::Crash(size_t count) {
  for (; count > 0; --count) {
    const std::lock_guard lock(mutex_);
    Store(std::move(pending_.front().batch));
    pending_.pop_front();
  }
  pending_.clear();
}

absl::StatusOr<std::vector<Offset>> MemoryLog::Append(std::vector<AppendRecord> batch) {
  RETURN_IF_ERROR(Check(batch));
  Commit(pending_.size());
  const std::lock_guard lock(mutex_);
  std::vector<Offset> offsets = Store(std::move(batch));
  appended_.notify_all();
  return offsets;
}

void MemoryLog::AppendAsync(std::vector<AppendRecord> batch, AppendDone done) {
  if (absl::Status status = Check(batch); !status.ok()) return done(std::move(status));
  if (held_) {
    pending_.push_back({std::move(batch), std::move(done)});
    return;
  }
  absl::StatusOr<std::vector<Offset>> offsets;
  {
    const std::lock_guard lock(mutex_);
    offsets = Store(std::move(batch));
    appended_.notify_all();
  }
  done(std::move(offsets));
}

absl::StatusOr<log::ReadResult> MemoryLog::Read(Topic topic, uint32_t partition, Offset offset, size_t records_max,
                                                size_t bytes_max) const {
  RETURN_IF_ERROR(CheckPartition(topic, partition));
  const std::lock_guard lock(mutex_);
  const LogDisk::Part& part = PartOf(topic, partition);
  if (offset < part.begin || offset > part.end()) {
    return absl::OutOfRangeError(fmt::format("offset {}; the log has {} to {}", offset, part.begin, part.end()));
  }
  log::ReadResult result;
  result.next_offset = offset;
  for (size_t bytes = 0; result.next_offset < part.end() && result.records.size() < records_max; ++result.next_offset) {
    const log::Record& record = part.records[result.next_offset - part.begin];
    bytes += record.key.size() + record.value.size();
    if (!result.records.empty() && bytes > bytes_max) break;
    result.records.push_back(record);
  }
  return result;
}

absl::StatusOr<Offset> MemoryLog::BeginOffset(Topic topic, uint32_t partition) const {
  RETURN_IF_ERROR(CheckPartition(topic, partition));
  const std::lock_guard lock(mutex_);
  return PartOf(topic, partition).begin;
}

absl::StatusOr<Offset> MemoryLog::EndOffset(Topic topic, uint32_t partition) const {
  RETURN_IF_ERROR(CheckPartition(topic, partition));
  const std::lock_guard lock(mutex_);
  return PartOf(topic, partition).end();
}

bool MemoryLog::WaitForAppend(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const {
  std::unique_lock lock(mutex_);
  return appended_.wait_for(lock, std::chrono::microseconds(timeout_us), [&] {
    for (uint32_t p = 0; p < PartitionCount(topic); ++p) {
      if (PartOf(topic, p).end() > (p < seen_ends.size() ? seen_ends[p] : 0)) return true;
    }
    return false;
  });
}

absl::Status MemoryLog::Truncate(Topic topic, uint32_t partition, Offset offset) {
  RETURN_IF_ERROR(CheckPartition(topic, partition));
  const std::lock_guard lock(mutex_);
  LogDisk::Part& part = disk_->parts[{topic, partition}];
  if (offset > part.end()) return absl::InvalidArgumentError("beyond the log's end");
  for (; part.begin < offset; ++part.begin) part.records.pop_front();
  return absl::OkStatus();
}

absl::StatusOr<Offset> MemoryLog::OffsetAtTime(Topic topic, uint32_t partition, int64_t time_us) const {
  RETURN_IF_ERROR(CheckPartition(topic, partition));
  const std::lock_guard lock(mutex_);
  const LogDisk::Part& part = PartOf(topic, partition);
  for (const log::Record& record : part.records) {
    if (record.append_time_us >= time_us) return record.offset;
  }
  return part.end();
}

absl::StatusOr<std::vector<log::PartitionStats>> MemoryLog::Stats() const {
  const std::lock_guard lock(mutex_);
  std::vector<log::PartitionStats> stats;
  for (const Topic topic : log::kAllTopics) {
    for (uint32_t p = 0; p < PartitionCount(topic); ++p) {
      const LogDisk::Part& part = PartOf(topic, p);
      log::PartitionStats& one = stats.emplace_back(log::PartitionStats{topic, p, part.begin, part.end()});
      one.records = part.records.size();
      uint64_t bytes = 0;
      for (const log::Record& record : part.records) bytes += 1 + record.key.size() + record.value.size();
      one.bytes = bytes;
    }
  }
  return stats;
}

}  // namespace bowerbird::simulation
