#include "replay/source.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <thread>

#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::replay {

using log::Offset;
using log::Topic;

absl::StatusOr<Range> Source::Whole() const {
  Range range;
  for (uint32_t partition = 0; partition < partitions(); ++partition) {
    ASSIGN_OR_RETURN(const Offset begin, log_->BeginOffset(Topic::kEvents, partition));
    ASSIGN_OR_RETURN(const Offset end, log_->EndOffset(Topic::kEvents, partition));
    range.begin.push_back(begin);
    range.end.push_back(end);
  }
  return range;
}

absl::StatusOr<Range> Source::Until(std::span<const Offset> ends) const {
  if (ends.size() != partitions()) {
    return absl::InvalidArgumentError(
        fmt::format("replay range: found {} end offsets; expected {}, one a partition", ends.size(), partitions()));
  }
  ASSIGN_OR_RETURN(Range range, Whole());
  for (uint32_t partition = 0; partition < partitions(); ++partition) {
    if (ends[partition] > range.end[partition]) {
      return absl::OutOfRangeError(fmt::format("replay range: events partition {} ends at offset {}; found end {}",
                                               partition, range.end[partition], ends[partition]));
    }
    range.end[partition] = ends[partition];
    range.begin[partition] = std::min(range.begin[partition], ends[partition]);
  }
  return range;
}

absl::StatusOr<Range> Source::Appended(int64_t from_us, int64_t to_us) const {
  Range range;
  for (uint32_t partition = 0; partition < partitions(); ++partition) {
    ASSIGN_OR_RETURN(const Offset begin, log_->OffsetAtTime(Topic::kEvents, partition, from_us));
    ASSIGN_OR_RETURN(const Offset end, log_->OffsetAtTime(Topic::kEvents, partition, to_us));
    range.begin.push_back(begin);
    range.end.push_back(std::max(begin, end));
  }
  return range;
}

absl::Status Source::Read(uint32_t partition, Offset offset, Offset end, EventBatch* batch) const {
  batch->records_.clear();
  batch->next_offset_ = offset;
  if (offset >= end) return absl::OkStatus();
  // No further than asked for: what lies beyond may be another file.
  const auto records_max = static_cast<size_t>(std::min<Offset>(kBatchRecordsMax, end - offset));
  ASSIGN_OR_RETURN(batch->raw_, log_->Read(Topic::kEvents, partition, offset, records_max, kBatchBytesMax));
  if (batch->events_.size() < batch->raw_.records.size()) batch->events_.resize(batch->raw_.records.size());
  batch->next_offset_ = std::min(batch->raw_.next_offset, end);
  for (size_t i = 0; i < batch->raw_.records.size(); ++i) {
    const log::Record& record = batch->raw_.records[i];
    if (record.offset >= end) break;
    v1::Event& event = batch->events_[i];
    const bool decoded = event.ParseFromString(record.value);
    batch->records_.push_back(
        {record.offset, record.append_time_us, decoded ? &event : nullptr, record.key, record.value});
  }
  return absl::OkStatus();
}

absl::Status Source::ForEach(const Range& range, uint32_t threads, const Visit& visit) const {
  if (range.begin.size() != partitions() || range.end.size() != partitions()) {
    return absl::InvalidArgumentError(fmt::format("replay range: found {} begins and {} ends; expected {} of each",
                                                  range.begin.size(), range.end.size(), partitions()));
  }
  std::vector<Offset> at = range.begin;
  while (true) {
    std::vector<Offset> from(partitions(), std::numeric_limits<Offset>::max());
    for (uint32_t p = 0; p < partitions(); ++p) {
      if (at[p] < range.end[p]) from[p] = at[p];
    }
    std::vector<Offset> until = log_->ReadTogether(Topic::kEvents, from);
    for (uint32_t p = 0; p < partitions(); ++p) until[p] = std::min(until[p], range.end[p]);
    const std::vector<Offset> before = at;
    RETURN_IF_ERROR(ForEachBelow(until, threads, visit, &at));
    if (at == before) return absl::OkStatus();
  }
}

absl::Status Source::ForEachBelow(std::span<const Offset> until, uint32_t threads, const Visit& visit,
                                  std::vector<Offset>* at) const {
  std::atomic<uint32_t> next_partition = 0;
  std::atomic<bool> stop = false;
  std::mutex mutex;
  absl::Status first_error;
  const auto replay_partition = [&](uint32_t partition, EventBatch* batch) -> absl::Status {
    Offset& offset = (*at)[partition];
    while (offset < until[partition] && !stop) {
      RETURN_IF_ERROR(Read(partition, offset, until[partition], batch));
      if (batch->next_offset() == offset) return absl::OkStatus();  // the rest of the range holds no record
      offset = batch->next_offset();
      if (!batch->records().empty()) RETURN_IF_ERROR(visit(partition, *batch));
    }
    return absl::OkStatus();
  };
  const auto work = [&] {
    EventBatch batch;
    for (uint32_t partition; !stop && (partition = next_partition++) < partitions();) {
      if (absl::Status status = replay_partition(partition, &batch); !status.ok()) {
        const std::lock_guard lock(mutex);
        if (first_error.ok()) first_error = status;
        stop = true;
      }
    }
  };
  std::vector<std::thread> others;
  for (uint32_t i = 1; i < std::min(threads, partitions()); ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
  return first_error;
}

}  // namespace bowerbird::replay
