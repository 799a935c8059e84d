#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "log/event_log.h"

namespace bowerbird::state {

/// An EventLog in memory that can be told to fail, for tests of what reads a log.
class MemoryLog final : public log::EventLog {
 public:
  using Offset = log::Offset;
  using Topic = log::Topic;

  explicit MemoryLog(uint32_t partitions) : partitions_(partitions) {}

  std::atomic<bool> reads_fail = false;
  std::atomic<bool> appends_fail = false;
  /// Reads of events that succeed before the others fail.
  mutable std::atomic<uint64_t> reads_left = ~uint64_t{0};

  uint32_t PartitionCount(Topic topic) const override { return log::HasOnePartition(topic) ? 1 : partitions_; }
  absl::StatusOr<std::vector<Offset>> Append(std::vector<log::AppendRecord> batch) override {
    if (appends_fail) return absl::UnavailableError("told to fail");
    std::vector<Offset> offsets;
    const std::lock_guard lock(mutex_);
    for (log::AppendRecord& record : batch) {
      auto& part = parts_[{record.topic, record.partition}];
      offsets.push_back(part.begin + part.records.size());
      part.records.push_back({offsets.back(), ++time_us_, std::move(record.key), std::move(record.value)});
    }
    appended_.notify_all();
    return offsets;
  }
  void AppendAsync(std::vector<log::AppendRecord> batch, AppendDone done) override { done(Append(std::move(batch))); }
  absl::StatusOr<log::ReadResult> Read(Topic topic, uint32_t partition, Offset offset, size_t records_max,
                                       size_t bytes_max) const override {
    if (reads_fail) return absl::UnavailableError("told to fail");
    if (topic == Topic::kEvents && !TakeRead()) return absl::UnavailableError("told to fail");
    const std::lock_guard lock(mutex_);
    const Part& part = PartOf(topic, partition);
    log::ReadResult result;
    result.next_offset = std::max(offset, part.begin);
    for (size_t bytes = 0; result.next_offset < part.begin + part.records.size() &&
                           result.records.size() < records_max && bytes < bytes_max;
         ++result.next_offset) {
      result.records.push_back(part.records[result.next_offset - part.begin]);
      bytes += result.records.back().value.size();
    }
    return result;
  }
  absl::StatusOr<Offset> BeginOffset(Topic topic, uint32_t partition) const override {
    const std::lock_guard lock(mutex_);
    return PartOf(topic, partition).begin;
  }
  absl::StatusOr<Offset> EndOffset(Topic topic, uint32_t partition) const override {
    const std::lock_guard lock(mutex_);
    const Part& part = PartOf(topic, partition);
    return part.begin + part.records.size();
  }
  bool WaitForAppend(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const override {
    std::unique_lock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(timeout_us);
    while (true) {
      for (uint32_t p = 0; p < seen_ends.size(); ++p) {
        const Part& part = PartOf(topic, p);
        if (part.begin + part.records.size() > seen_ends[p]) return true;
      }
      if (appended_.wait_until(lock, deadline) == std::cv_status::timeout) return false;
    }
  }
  absl::Status Truncate(Topic topic, uint32_t partition, Offset offset) override {
    const std::lock_guard lock(mutex_);
    Part& part = parts_[{topic, partition}];
    const Offset end = part.begin + part.records.size();
    const auto dropped = static_cast<ptrdiff_t>(std::min(offset, end) - part.begin);
    part.records.erase(part.records.begin(), part.records.begin() + dropped);
    part.begin += static_cast<Offset>(dropped);
    return absl::OkStatus();
  }
  absl::StatusOr<Offset> OffsetAtTime(Topic topic, uint32_t partition, int64_t time_us) const override {
    const std::lock_guard lock(mutex_);
    const Part& part = PartOf(topic, partition);
    for (const log::Record& record : part.records) {
      if (record.append_time_us >= time_us) return record.offset;
    }
    return part.begin + part.records.size();
  }
  absl::StatusOr<std::vector<log::PartitionStats>> Stats() const override { return std::vector<log::PartitionStats>(); }

 private:
  struct Part {
    Offset begin = 0;
    std::vector<log::Record> records;
  };
  const Part& PartOf(Topic topic, uint32_t partition) const { return parts_[{topic, partition}]; }
  bool TakeRead() const {
    uint64_t left = reads_left;
    while (left != 0 && left != ~uint64_t{0} && !reads_left.compare_exchange_weak(left, left - 1)) {
    }
    return left != 0;
  }

  const uint32_t partitions_;
  mutable std::mutex mutex_;
  mutable std::condition_variable appended_;
  mutable std::map<std::pair<Topic, uint32_t>, Part> parts_;
  int64_t time_us_ = 0;
};

}  // namespace bowerbird::state
