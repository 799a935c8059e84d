#include "log/rocks_log.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::log {
namespace {

constexpr uint32_t kPartitionsMax = 4096;
// One commit takes about so much of the queue: more would only make its first waiter wait longer.
constexpr size_t kGroupBytes = 8 << 20;
// A run is cut here, so that a read in its middle decodes little.
constexpr size_t kRunBytes = 64 << 10;
constexpr size_t kKeptBatchBytes = 2 * kGroupBytes;
constexpr int64_t kRecoveryPauseUs = 100'000;

absl::Status Closing() { return absl::UnavailableError("the log is closing"); }

}  // namespace

absl::StatusOr<std::unique_ptr<RocksLog>> RocksLog::Open(const std::string& dir, const RocksLogOptions& options) {
  if (options.user_partitions < 1 || options.user_partitions > kPartitionsMax) {
    return absl::InvalidArgumentError(
        fmt::format("user_partitions is {}; expected 1 to {}", options.user_partitions, kPartitionsMax));
  }
  if (options.segment_bytes < (64u << 10)) {
    return absl::InvalidArgumentError(
        fmt::format("segment_bytes is {}; expected at least 65536", options.segment_bytes));
  }
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return absl::UnavailableError(fmt::format("create folder {}: {}", dir, error.message()));
  std::unique_ptr<RocksLog> log(new RocksLog(dir, options));
  RETURN_IF_ERROR(log->OpenStore());
  log->writer_ = std::thread([raw = log.get()] { raw->WriteLoop(); });
  return log;
}

RocksLog::RocksLog(std::string dir, const RocksLogOptions& options)
    : dir_(std::move(dir)),
      options_(options),
      retention_us_(options.retention_us),
      write_batch_(std::make_unique<rocksdb::WriteBatch>()) {
  for (const Topic topic : kAllTopics) {
    topics_[static_cast<size_t>(topic) - 1] =
        std::make_unique<TopicState>(topic, HasOnePartition(topic) ? 1 : options.user_partitions);
  }
}

RocksLog::~RocksLog() { StopAppends(); }

void RocksLog::StopAppends() {
  {
    std::lock_guard lock(queue_mutex_);
    closing_ = true;
  }
  queue_filled_.notify_all();
  queue_drained_.notify_all();
  if (writer_.joinable()) writer_.join();
}

absl::Status RocksLog::OpenStore() {
  LogStore::Options options;
  for (const auto& topic : topics_) options.partitions.push_back(topic->segments.partitions());
  options.segment_bytes = options_.segment_bytes;
  options.memory = options_.memory;
  options.env = options_.env;
  ASSIGN_OR_RETURN(std::unique_ptr<LogStore> store, LogStore::Open(dir_, options));
  if (mark_ == nullptr) {
    // Only now: the store's lock says that the file is ours.
    ASSIGN_OR_RETURN(mark_, DurableMark::Open(dir_ + "/durable_mark"));
  }
  const uint64_t sequence = store->db().GetLatestSequenceNumber();
  if (const std::optional<uint64_t> marked = mark_->Get(); marked.has_value() && sequence < *marked) {
    return absl::DataLossError(fmt::format(
        "{}: the log ends at sequence number {}, and {} had been acknowledged: its write-ahead log is damaged "
        "or missing. Remove {}/durable_mark to go on with what is there",
        dir_, sequence, *marked, dir_));
  }
  for (const auto& topic : topics_) {
    RETURN_IF_ERROR(store->Load(topic->topic, &topic->segments));
    last_append_time_us_ = std::max(last_append_time_us_, topic->segments.active().last_append_time_us);
  }
  store_ = std::move(store);
  return absl::OkStatus();
}

RocksLog::TopicState& RocksLog::state(Topic topic) const {
  const size_t index = static_cast<size_t>(topic) - 1;
  BOWERBIRD_CHECK(index < topics_.size());
  return *topics_[index];
}

uint32_t RocksLog::PartitionCount(Topic topic) const { return state(topic).segments.partitions(); }

absl::StatusOr<RocksLog::TopicState*> RocksLog::Find(Topic topic, uint32_t partition) const {
  const size_t index = static_cast<size_t>(topic) - 1;
  if (index >= topics_.size()) {
    return absl::InvalidArgumentError(
        fmt::format("topic is number {}; expected 1 to {}", static_cast<int>(topic), topics_.size()));
  }
  TopicState* found = topics_[index].get();
  if (partition >= found->segments.partitions()) {
    return absl::InvalidArgumentError(
        fmt::format("partition is {}; topic {} has {}", partition, TopicName(topic), found->segments.partitions()));
  }
  return found;
}

absl::Status RocksLog::Check(const std::vector<AppendRecord>& batch, size_t* bytes) const {
  for (const AppendRecord& record : batch) RETURN_IF_ERROR(Find(record.topic, record.partition).status());
  return CheckSizes(batch, bytes);
}

absl::StatusOr<std::vector<Offset>> RocksLog::Append(std::vector<AppendRecord> batch) {
  return AppendAndWait(this, std::move(batch));
}

void RocksLog::AppendAsync(std::vector<AppendRecord> batch, AppendDone done) {
  Pending pending{std::move(batch), std::move(done), absl::OkStatus(), 0};
  pending.may_linger = std::all_of(pending.batch.begin(), pending.batch.end(),
                                   [](const AppendRecord& record) { return record.topic == Topic::kServed; });
  pending.refusal = Check(pending.batch, &pending.bytes);
  if (!pending.refusal.ok()) pending.bytes = 0;
  {
    std::unique_lock lock(queue_mutex_);
    queue_drained_.wait(lock, [&] {
      return closing_ || queue_bytes_ == 0 || queue_bytes_ + pending.bytes <= options_.queue_bytes_max;
    });
    if (!closing_) {
      queue_bytes_ += pending.bytes;
      const bool wake = queue_.empty() || (!pending.may_linger && !urgent_) || queue_bytes_ >= kGroupBytes;
      urgent_ |= !pending.may_linger;
      queue_.push_back(std::move(pending));
      if (wake) queue_filled_.notify_one();
      return;
    }
  }
  pending.done(Closing());
}

bool RocksLog::crowded() const {
  const std::lock_guard lock(queue_mutex_);
  return queue_bytes_ > options_.queue_bytes_max / 2;
}

bool RocksLog::TakeGroup(std::vector<Pending>* group) {
  std::unique_lock lock(queue_mutex_);
  queue_filled_.wait(lock, [&] { return closing_ || !queue_.empty(); });
  if (queue_.empty()) return false;
  queue_filled_.wait_for(lock, std::chrono::microseconds(options_.served_linger_us),
                         [&] { return closing_ || urgent_ || queue_bytes_ >= kGroupBytes; });
  size_t bytes = 0;
  while (!queue_.empty() && (bytes == 0 || bytes + queue_.front().bytes <= kGroupBytes)) {
    bytes += queue_.front().bytes;
    group->push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queue_bytes_ -= bytes;
  urgent_ = std::any_of(queue_.begin(), queue_.end(), [](const Pending& pending) { return !pending.may_linger; });
  lock.unlock();
  queue_drained_.notify_all();
  return true;
}

void RocksLog::WriteLoop() {
  std::vector<Pending> group;
  std::vector<std::vector<Offset>> offsets;
  while (TakeGroup(&group)) {
    const absl::Status status = Commit(group, &offsets);
    if (!status.ok()) failures_.fetch_add(1, std::memory_order_relaxed);
    for (size_t i = 0; i < group.size(); ++i) {
      Pending& pending = group[i];
      if (!pending.refusal.ok()) {
        pending.done(pending.refusal);
      } else if (!status.ok()) {
        pending.done(status);
      } else {
        pending.done(std::move(offsets[i]));
      }
    }
    group.clear();
  }
}

absl::Status RocksLog::Commit(std::vector<Pending>& group, std::vector<std::vector<Offset>>* offsets) {
  offsets->assign(group.size(), {});
  if (broken_) RETURN_IF_ERROR(Recover());
  // Never backwards, whatever the clock does: OffsetAtTime searches by it.
  const int64_t now_us = std::max(options_.clock->NowUs(), last_append_time_us_);
  rocksdb::WriteBatch& batch = *write_batch_;
  batch.Clear();
  uint64_t records = 0;
  for (size_t i = 0; i < group.size(); ++i) {
    if (!group[i].refusal.ok()) continue;
    std::vector<Offset>& assigned = (*offsets)[i];
    assigned.reserve(group[i].batch.size());
    for (const AppendRecord& record : group[i].batch) {
      TopicState& topic = state(record.topic);
      Bucket& bucket = topic.buckets[record.partition];
      if (!bucket.touched) {
        Touch(topic, record.partition, now_us, &batch);
      } else if (bucket.run.bytes() >= kRunBytes) {
        FinishRun(topic, record.partition, &batch);
        bucket.run.Start(bucket.next_offset, now_us);
      }
      assigned.push_back(bucket.next_offset);
      bucket.run.Add(bucket.next_offset++, record.key, record.value);
      ++bucket.records;
    }
    records += assigned.size();
  }
  for (TopicState* topic : touched_topics_) {
    for (const uint32_t partition : topic->touched) FinishRun(*topic, partition, &batch);
  }
  absl::Status status;
  if (records > 0) {
    status = store_->WriteDurably(&batch);
    if (status.ok()) mark_->Set(store_->db().GetLatestSequenceNumber());
  }
  if (status.ok()) {
    Publish(now_us);
    records_.fetch_add(records, std::memory_order_relaxed);
    groups_.fetch_add(1, std::memory_order_relaxed);
  } else {
    broken_ = true;
  }
  for (TopicState* topic : touched_topics_) {
    for (const uint32_t partition : topic->touched) topic->buckets[partition].touched = false;
    topic->touched.clear();
  }
  touched_topics_.clear();
  if (batch.GetDataSize() > kKeptBatchBytes) write_batch_ = std::make_unique<rocksdb::WriteBatch>();
  return status;
}

void RocksLog::Touch(TopicState& topic, uint32_t partition, int64_t now_us, rocksdb::WriteBatch* batch) {
  if (topic.touched.empty()) {
    touched_topics_.push_back(&topic);
    topic.segment = topic.segments.active_id();
    topic.rolled = topic.segments.active_bytes() >= options_.segment_bytes;
    if (topic.rolled) {
      // The next segment's runs must not share the sealed one's file.
      store_->FlushInBackground(topic.topic);
      store_->PutSegment(topic.topic, topic.segments.active(), batch);
      ++topic.segment;
    }
  }
  topic.touched.push_back(partition);
  Bucket& bucket = topic.buckets[partition];
  bucket.touched = true;
  bucket.records = 0;
  bucket.bytes = 0;
  bucket.next_offset = topic.segments.bounds(partition).end;
  bucket.run.Start(bucket.next_offset, now_us);
}

void RocksLog::FinishRun(TopicState& topic, uint32_t partition, rocksdb::WriteBatch* batch) {
  Bucket& bucket = topic.buckets[partition];
  const std::string key = EncodeRunKey({topic.segment, partition, bucket.next_offset - 1});
  const std::string_view value = bucket.run.Finish(key);
  batch->Put(store_->column(topic.topic), key, rocksdb::Slice(value.data(), value.size()));
  bucket.bytes += value.size();
}

void RocksLog::Publish(int64_t now_us) {
  last_append_time_us_ = now_us;
  std::vector<SegmentTable::Growth> growth;
  for (TopicState* topic : touched_topics_) {
    growth.clear();
    for (const uint32_t partition : topic->touched) {
      const Bucket& bucket = topic->buckets[partition];
      growth.push_back({partition, bucket.records, bucket.bytes});
    }
    if (topic->rolled) topic->segments.Seal();
    topic->segments.Advance(growth, now_us);
    { std::lock_guard lock(topic->wait_mutex); }
    topic->appended.notify_all();
  }
}

absl::Status RocksLog::Recover() {
  const int64_t now_us = base::MonotonicUs();
  if (now_us < next_recovery_us_) return absl::UnavailableError("the log could not write and has not recovered yet");
  next_recovery_us_ = now_us + kRecoveryPauseUs;
  rocksdb::Env* env = options_.env != nullptr ? options_.env : rocksdb::Env::Default();
  const rocksdb::Status probe = rocksdb::WriteStringToFile(env, "probe", dir_ + "/probe", /*should_sync=*/true);
  if (!probe.ok()) return absl::UnavailableError(fmt::format("the log cannot write: {}", probe.ToString()));
  std::unique_lock lock(store_mutex_);
  if (store_ != nullptr && store_->db().Resume().ok()) {
    for (const auto& topic : topics_) RETURN_IF_ERROR(store_->Load(topic->topic, &topic->segments));
  } else {
    // A failed fsync is final for RocksDB, and rightly: nobody knows what is on the disk until it is read again. An
    // open store that can still be read is given up only when there is room for what opening it again will write.
    uint64_t free_bytes = 0;
    if (store_ != nullptr && env->GetFreeSpace(dir_, &free_bytes).ok() && free_bytes < 4 * options_.segment_bytes) {
      return absl::UnavailableError(fmt::format("the log cannot write: {} bytes are free on its disk; it needs {}",
                                                free_bytes, 4 * options_.segment_bytes));
    }
    store_.reset();
    RETURN_IF_ERROR(OpenStore());
  }
  env->DeleteFile(dir_ + "/probe").PermitUncheckedError();
  broken_ = false;
  recoveries_.fetch_add(1, std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status RocksLog::Checkpoint(const std::string& to) const {
  const std::shared_lock lock(store_mutex_);
  RETURN_IF_ERROR(CheckStore());
  return store::CheckpointTo(store_->db(), to, /*flush=*/false);
}

ManagedLog::Counters RocksLog::counters() const {
  return {records_.load(std::memory_order_relaxed), groups_.load(std::memory_order_relaxed),
          failures_.load(std::memory_order_relaxed), recoveries_.load(std::memory_order_relaxed)};
}

}  // namespace bowerbird::log
