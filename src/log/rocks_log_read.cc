#include <rocksdb/db.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "fmt/format.h"
#include "log/rocks_log.h"

namespace bowerbird::log {
namespace {

std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

bool SamePrefix(std::string_view a, std::string_view b) {
  return a.substr(0, kRunKeyPrefixBytes) == b.substr(0, kRunKeyPrefixBytes);
}

absl::Status Missing(Topic topic, uint32_t partition, Offset offset) {
  return absl::DataLossError(
      fmt::format("topic {}, partition {}: the record at offset {} is missing", TopicName(topic), partition, offset));
}

absl::Status Beyond(Topic topic, uint32_t partition, Offset offset, SegmentTable::Bounds bounds) {
  return absl::OutOfRangeError(fmt::format("topic {}, partition {}: offset is {}; {} to {} are there", TopicName(topic),
                                           partition, offset, bounds.begin, bounds.end));
}

absl::Status In(const absl::Status& status, Topic topic, uint32_t partition) {
  return {status.code(),
          fmt::format("topic {}, partition {}: {}", TopicName(topic), partition, std::string(status.message()))};
}

}  // namespace

absl::Status RocksLog::CheckStore() const {
  if (store_ == nullptr) return absl::UnavailableError("the log's store could not be opened again after a failure");
  return absl::OkStatus();
}

absl::StatusOr<ReadResult> RocksLog::Read(Topic topic, uint32_t partition, Offset offset, size_t records_max,
                                          size_t bytes_max) const {
  ASSIGN_OR_RETURN(const TopicState* const state, Find(topic, partition));
  const SegmentTable::Bounds bounds = state->segments.bounds(partition);
  if (offset < bounds.begin || offset > bounds.end) return Beyond(topic, partition, offset, bounds);
  ReadResult result;
  result.next_offset = offset;
  if (offset == bounds.end || records_max == 0) return result;

  std::shared_lock lock(store_mutex_);
  RETURN_IF_ERROR(CheckStore());
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(store_->db().NewIterator(options, store_->column(topic)));
  size_t bytes = 0;
  bool full = false;
  while (!full && result.next_offset < bounds.end) {
    const auto location = state->segments.Locate(partition, result.next_offset);
    if (!location.has_value()) break;
    const std::string start = EncodeRunKey({location->segment, partition, result.next_offset});
    for (it->Seek(start); !full && it->Valid() && SamePrefix(ToView(it->key()), start); it->Next()) {
      auto run = RunReader::Open(ToView(it->key()), ToView(it->value()));
      if (!run.ok()) return In(run.status(), topic, partition);
      RunReader::Item item;
      while (!full) {
        auto more = run->Next(&item);
        if (!more.ok()) return In(more.status(), topic, partition);
        if (!*more || item.offset >= bounds.end) break;
        if (item.offset < result.next_offset) continue;
        if (item.offset != result.next_offset && !IsCompacted(topic)) break;
        result.records.push_back(
            {item.offset, run->header().append_time_us, std::string(item.key), std::string(item.value)});
        result.next_offset = item.offset + 1;
        bytes += item.key.size() + item.value.size();
        full = result.records.size() >= records_max || bytes >= bytes_max;
      }
    }
    RETURN_IF_ERROR(
        store::FromRocks(it->status(), fmt::format("read topic {}, partition {}", TopicName(topic), partition)));
    if (full) break;
    const Offset part_end = std::min(location->part_end, bounds.end);
    if (result.next_offset < part_end) {
      if (!IsCompacted(topic)) {
        // Either retention passed us meanwhile, or a file is lost.
        const SegmentTable::Bounds now = state->segments.bounds(partition);
        if (offset < now.begin) return Beyond(topic, partition, offset, now);
        return Missing(topic, partition, result.next_offset);
      }
      result.next_offset = part_end;
    }
  }
  return result;
}

absl::StatusOr<Offset> RocksLog::BeginOffset(Topic topic, uint32_t partition) const {
  ASSIGN_OR_RETURN(const TopicState* const state, Find(topic, partition));
  return state->segments.bounds(partition).begin;
}

absl::StatusOr<Offset> RocksLog::EndOffset(Topic topic, uint32_t partition) const {
  ASSIGN_OR_RETURN(const TopicState* const state, Find(topic, partition));
  return state->segments.bounds(partition).end;
}

bool RocksLog::WaitForAppend(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const {
  const TopicState& waited = state(topic);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(std::max<int64_t>(timeout_us, 0));
  std::unique_lock lock(waited.wait_mutex);
  return waited.appended.wait_until(lock, deadline, [&] { return waited.segments.AnyBeyond(seen_ends); });
}

absl::StatusOr<std::vector<PartitionStats>> RocksLog::Stats() const {
  std::vector<PartitionStats> stats;
  for (const auto& topic : topics_) {
    for (PartitionStats& one : topic->segments.Stats(topic->topic)) stats.push_back(one);
  }
  return stats;
}

absl::StatusOr<std::optional<RocksLog::FoundRun>> RocksLog::FindRun(const TopicState& topic, uint32_t partition,
                                                                    Offset offset) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(store_->db().NewIterator(options, store_->column(topic.topic)));
  while (true) {
    const auto location = topic.segments.Locate(partition, offset);
    if (!location.has_value()) return std::optional<FoundRun>();
    const std::string start = EncodeRunKey({location->segment, partition, offset});
    it->Seek(start);
    RETURN_IF_ERROR(
        store::FromRocks(it->status(), fmt::format("read topic {}, partition {}", TopicName(topic.topic), partition)));
    if (it->Valid() && SamePrefix(ToView(it->key()), start)) {
      auto run = RunReader::Open(ToView(it->key()), ToView(it->value()));
      if (!run.ok()) return In(run.status(), topic.topic, partition);
      ASSIGN_OR_RETURN(const RunKey key, DecodeRunKey(ToView(it->key())));
      return std::optional<FoundRun>({run->header().first_offset, key.last_offset, run->header().append_time_us});
    }
    offset = location->part_end;  // compaction emptied the rest of this segment
  }
}

absl::StatusOr<Offset> RocksLog::OffsetAtTime(Topic topic, uint32_t partition, int64_t time_us) const {
  ASSIGN_OR_RETURN(const TopicState* const state, Find(topic, partition));
  std::shared_lock lock(store_mutex_);
  RETURN_IF_ERROR(CheckStore());
  const SegmentTable::Bounds bounds = state->segments.bounds(partition);
  Offset low = bounds.begin;
  Offset high = bounds.end;
  // All before `low` is older; the run at or after `high` is not.
  while (low < high) {
    const Offset middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const std::optional<FoundRun> run, FindRun(*state, partition, middle));
    if (!run.has_value()) {
      high = middle;
    } else if (run->append_time_us < time_us) {
      low = run->last_offset + 1;
    } else {
      high = std::max(low, std::min(middle, run->first_offset));
    }
  }
  if (!IsCompacted(topic) || low >= bounds.end) return std::min(low, bounds.end);
  ASSIGN_OR_RETURN(const std::optional<FoundRun> run, FindRun(*state, partition, low));
  return run.has_value() ? std::max(low, run->first_offset) : bounds.end;
}

/// Goes once through everything, in the order of the files.
class RocksLog::Verifier {
 public:
  Verifier(const TopicState& topic, VerifyReport* report)
      : topic_(topic), report_(*report), seen_(topic.segments.partitions()) {
    for (uint32_t p = 0; p < seen_.size(); ++p) {
      const SegmentTable::Bounds bounds = topic.segments.bounds(p);
      seen_[p] = {bounds.begin, bounds.begin, bounds.end, 0};
    }
  }

  void Walk(rocksdb::Iterator* it) {
    for (it->SeekToFirst(); it->Valid(); it->Next()) Run(ToView(it->key()), ToView(it->value()));
    if (!it->status().ok()) {
      Problem(fmt::format("topic {}: reading ends at a damaged file: {}", TopicName(topic_.topic),
                          it->status().ToString()));
    }
    for (uint32_t p = 0; p < seen_.size(); ++p) {
      if (!IsCompacted(topic_.topic) && seen_[p].next < seen_[p].end) Gap(p, seen_[p].end);
    }
  }

 private:
  struct Seen {
    Offset begin = 0, next = 0, end = 0;
    int64_t append_time_us = 0;
  };

  void Run(std::string_view key_bytes, std::string_view value) {
    const auto key = DecodeRunKey(key_bytes);
    if (!key.ok() || key->partition >= seen_.size()) {
      Problem(fmt::format("topic {}: a run's key is damaged", TopicName(topic_.topic)));
      return;
    }
    Seen& seen = seen_[key->partition];
    if (key->last_offset < seen.begin) return;  // dropped, and not given back yet
    auto run = RunReader::Open(key_bytes, value);
    if (!run.ok()) {
      Problem(std::string(In(run.status(), topic_.topic, key->partition).message()));
      seen.next = std::max(seen.next, key->last_offset + 1);
      return;
    }
    if (run->header().append_time_us < seen.append_time_us) {
      Problem(fmt::format("topic {}, partition {}: append time goes backwards at offset {}", TopicName(topic_.topic),
                          key->partition, run->header().first_offset));
    }
    seen.append_time_us = run->header().append_time_us;
    Records(&*run, *key);
  }

  void Records(RunReader* run, const RunKey& key) {
    Seen& seen = seen_[key.partition];
    RunReader::Item item;
    while (true) {
      const auto more = run->Next(&item);
      if (!more.ok()) {
        Problem(std::string(In(more.status(), topic_.topic, key.partition).message()));
        return;
      }
      if (!*more) return;
      if (item.offset < seen.begin) continue;
      if (item.offset < seen.next || item.offset > key.last_offset) {
        Problem(fmt::format("topic {}, partition {}: offset {} is out of order", TopicName(topic_.topic), key.partition,
                            item.offset));
      } else if (item.offset > seen.next && !IsCompacted(topic_.topic)) {
        Gap(key.partition, item.offset);
      }
      seen.next = std::max(seen.next, item.offset + 1);
      ++report_.records;
      report_.bytes += item.key.size() + item.value.size();
    }
  }

  void Gap(uint32_t partition, Offset until) {
    Problem(fmt::format("topic {}, partition {}: offsets {} to {} are missing", TopicName(topic_.topic), partition,
                        seen_[partition].next, until - 1));
  }

  void Problem(std::string text) {
    if (report_.problems.size() < VerifyReport::kProblemsMax) report_.problems.push_back(std::move(text));
    ++report_.problem_count;
  }

  const TopicState& topic_;
  VerifyReport& report_;
  std::vector<Seen> seen_;
};

absl::StatusOr<VerifyReport> RocksLog::Verify() const {
  VerifyReport report;
  for (const auto& topic : topics_) {
    std::shared_lock lock(store_mutex_);
    RETURN_IF_ERROR(CheckStore());
    // The bounds are taken before the iterator's snapshot, so that all up to them is in it.
    Verifier verifier(*topic, &report);
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.readahead_size = 2 << 20;
    const std::unique_ptr<rocksdb::Iterator> it(store_->db().NewIterator(options, store_->column(topic->topic)));
    verifier.Walk(it.get());
  }
  return report;
}

}  // namespace bowerbird::log
