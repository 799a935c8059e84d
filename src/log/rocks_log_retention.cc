#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/status_macros.h"
#include "base/string_map.h"
#include "fmt/format.h"
#include "log/rocks_log.h"

namespace bowerbird::log {
namespace {

constexpr size_t kRewriteBatchBytes = 1 << 20;

std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

/// Calls `visit(key bytes, value bytes)` for each run of one partition's slice of a segment.
template <typename Visit>
absl::Status ForEachRun(const LogStore& store, Topic topic, uint32_t segment, uint32_t partition, Visit visit) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(store.db().NewIterator(options, store.column(topic)));
  const std::string start = EncodeRunKey({segment, partition, 0});
  const std::string_view prefix = std::string_view(start).substr(0, kRunKeyPrefixBytes);
  for (it->Seek(start); it->Valid() && ToView(it->key()).starts_with(prefix); it->Next()) {
    RETURN_IF_ERROR(visit(ToView(it->key()), ToView(it->value())));
  }
  return store::FromRocks(it->status(), fmt::format("read topic {}, partition {}", TopicName(topic), partition));
}

}  // namespace

absl::Status RocksLog::Truncate(Topic topic, uint32_t partition, Offset offset) {
  ASSIGN_OR_RETURN(TopicState* const state, Find(topic, partition));
  std::lock_guard one_at_a_time(retention_mutex_);
  std::shared_lock lock(store_mutex_);
  RETURN_IF_ERROR(CheckStore());
  const SegmentTable::Bounds bounds = state->segments.bounds(partition);
  if (offset > bounds.end) {
    return absl::InvalidArgumentError(
        fmt::format("topic {}, partition {}: cannot truncate below {}; the log ends at {}", TopicName(topic), partition,
                    offset, bounds.end));
  }
  std::vector<Offset> begins = state->segments.begins();
  begins[partition] = std::max(begins[partition], offset);
  return TruncateTo(*state, begins);
}

absl::Status RocksLog::TruncateTo(TopicState& topic, const std::vector<Offset>& begins) {
  const std::vector<Offset> before = topic.segments.begins();
  rocksdb::WriteBatch batch;
  for (uint32_t p = 0; p < begins.size(); ++p) {
    if (begins[p] > before[p]) store_->PutBegin(topic.topic, p, begins[p], &batch);
  }
  if (batch.Count() > 0) RETURN_IF_ERROR(store_->WriteDurably(&batch));
  // Readers see the new bounds before the records go, so that a gap never looks like a loss.
  topic.segments.SetBegins(begins);
  for (auto dead = topic.segments.OldestDead(); dead.has_value(); dead = topic.segments.OldestDead()) {
    RETURN_IF_ERROR(store_->DropSegment(topic.topic, *dead));
    topic.segments.RemoveOldest();
  }
  return absl::OkStatus();
}

absl::Status RocksLog::SetRetention(std::map<Topic, int64_t> retention_us) {
  std::lock_guard one_at_a_time(retention_mutex_);
  retention_us_ = std::move(retention_us);
  return absl::OkStatus();
}

absl::Status RocksLog::ApplyRetention(int64_t now_us) {
  std::lock_guard one_at_a_time(retention_mutex_);
  for (const auto& [topic, retention_us] : retention_us_) {
    TopicState& retained = state(topic);
    const int64_t cutoff_us = now_us - retention_us;
    if (IsCompacted(topic)) {
      std::shared_lock lock(store_mutex_);
      RETURN_IF_ERROR(CheckStore());
      RETURN_IF_ERROR(Compact(retained, cutoff_us));
      continue;
    }
    std::vector<Offset> begins(retained.segments.partitions());
    for (uint32_t p = 0; p < begins.size(); ++p) {
      ASSIGN_OR_RETURN(begins[p], OffsetAtTime(topic, p, cutoff_us));
    }
    std::shared_lock lock(store_mutex_);
    RETURN_IF_ERROR(CheckStore());
    RETURN_IF_ERROR(TruncateTo(retained, begins));
  }
  return absl::OkStatus();
}

absl::Status RocksLog::Compact(TopicState& topic, int64_t cutoff_us) {
  uint32_t cleaned_through = 0;
  ASSIGN_OR_RETURN(const bool cleaned_before, store_->GetCompactedThrough(topic.topic, &cleaned_through));
  std::vector<Segment> segments = topic.segments.sealed();
  const auto young = std::find_if(segments.begin(), segments.end(),
                                  [&](const Segment& segment) { return segment.last_append_time_us >= cutoff_us; });
  segments.erase(young, segments.end());
  uint64_t cleaned_bytes = 0;
  uint64_t new_bytes = 0;
  for (const Segment& segment : segments) {
    (cleaned_before && segment.id <= cleaned_through ? cleaned_bytes : new_bytes) += segment.bytes();
  }
  // A pass reads the whole topic, so it waits until what came since the last one is half of what that one left: a
  // record is then read a bounded number of times, however often retention is applied.
  if (new_bytes == 0 || new_bytes * 2 < cleaned_bytes) return absl::OkStatus();
  for (uint32_t p = 0; p < topic.segments.partitions(); ++p) RETURN_IF_ERROR(CompactPartition(topic, p, segments));
  rocksdb::WriteBatch batch;
  for (const Segment& segment : segments) store_->PutSegment(topic.topic, segment, &batch);
  store_->PutCompactedThrough(topic.topic, segments.back().id, &batch);
  RETURN_IF_ERROR(store_->WriteDurably(&batch));
  for (const Segment& segment : segments) topic.segments.Replace(segment);
  return absl::OkStatus();
}

absl::Status RocksLog::CompactPartition(const TopicState& topic, uint32_t partition, std::span<Segment> segments) {
  // Where each key stands last. One partition's keys at a time are in memory.
  base::StringMap<Offset> last;
  const Offset begin = topic.segments.bounds(partition).begin;
  std::vector<Segment> all = topic.segments.sealed();
  all.push_back(topic.segments.active());
  for (const Segment& segment : all) {
    RETURN_IF_ERROR(ForEachRun(*store_, topic.topic, segment.id, partition,
                               [&](std::string_view key, std::string_view value) -> absl::Status {
                                 ASSIGN_OR_RETURN(RunReader run, RunReader::Open(key, value));
                                 RunReader::Item item;
                                 while (true) {
                                   ASSIGN_OR_RETURN(const bool more, run.Next(&item));
                                   if (!more) return absl::OkStatus();
                                   last[item.key] = item.offset;
                                 }
                               }));
  }
  rocksdb::WriteBatch batch;
  RunBuilder builder;
  for (Segment& segment : segments) {
    SegmentPart& part = segment.parts[partition];
    part.records = part.bytes = 0;
    RETURN_IF_ERROR(ForEachRun(
        *store_, topic.topic, segment.id, partition, [&](std::string_view key, std::string_view value) -> absl::Status {
          ASSIGN_OR_RETURN(RunReader run, RunReader::Open(key, value));
          const uint32_t before = run.header().records;
          uint32_t kept = 0;
          RunReader::Item item;
          while (true) {
            ASSIGN_OR_RETURN(const bool more, run.Next(&item));
            if (!more) break;
            if (item.offset < begin || last[item.key] != item.offset) continue;
            if (kept++ == 0) builder.Start(item.offset, run.header().append_time_us);
            builder.Add(item.offset, item.key, item.value);
          }
          const rocksdb::Slice stored_key(key.data(), key.size());
          if (kept == 0) {
            batch.Delete(store_->column(topic.topic), stored_key);
          } else if (kept < before) {
            const std::string_view rewritten = builder.Finish(key);
            batch.Put(store_->column(topic.topic), stored_key, rocksdb::Slice(rewritten.data(), rewritten.size()));
          }
          part.records += kept;
          if (kept > 0) part.bytes += kept < before ? builder.bytes() : value.size();
          if (batch.GetDataSize() < kRewriteBatchBytes) return absl::OkStatus();
          absl::Status written = store_->WriteDurably(&batch);
          batch.Clear();
          return written;
        }));
  }
  return batch.Count() == 0 ? absl::OkStatus() : store_->WriteDurably(&batch);
}

}  // namespace bowerbird::log
