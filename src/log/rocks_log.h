#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "log/durable_mark.h"
#include "log/event_log.h"
#include "log/log_store.h"
#include "log/managed_log.h"
#include "log/run.h"
#include "log/segment_table.h"

namespace bowerbird::log {

struct RocksLogOptions {
  /// Of every topic but catalog and item_tables, which have one. Fixed when the log is created. 1 to 4096.
  uint32_t user_partitions = 64;
  /// How long records stay at least, by topic; topics that are not named are kept for ever. Applied by ApplyRetention.
  std::map<Topic, int64_t> retention_us;
  const base::Clock* clock = &base::SystemClock::Get();
  /// Records that wait for the disk; Append and AppendAsync wait when they do not fit.
  size_t queue_bytes_max = 64u << 20;
  /// Nobody waits for the served log: a group of nothing else may stay open for so long, and share one fsync.
  int64_t served_linger_us = 5'000;
  /// A topic's file is written once it has this much; each topic that is written to may hold three times this in
  /// memory.
  uint64_t segment_bytes = 64u << 20;
  /// `block_cache` serves reads of what has left memory; null: no cache. `write_buffers` bounds all topics together.
  store::RocksMemory memory;
  rocksdb::Env* env = nullptr;  ///< the file system; null: the machine's own
};

/// The embedded log: RocksDB on local disk. One thread writes: whatever batches wait become one write with one fsync.
///
/// Data     docs/formats/log.md. Offsets are dense in each partition, but for what compaction took out.
/// Threads  as EventLog. The callbacks of AppendAsync run on the writer's thread: they must not call Append.
/// Bounds   queue_bytes_max of waiting records (one larger batch is taken when nothing waits), segment_bytes in memory
/// a topic. Cost     log_bench: docs/decisions/0002-embedded-log-layout.md has the figures. Errors   after Unavailable
/// the log tries to recover at the next append: by RocksDB's Resume, or by opening the store again once
///          a probe file can be synced. A record of a failed batch may then be there or not.
class RocksLog final : public ManagedLog {
 public:
  /// FailedPrecondition: created with other partition counts; DataLoss: damaged, or less is there than was acknowledged
  /// (remove the file `durable_mark` to accept that); Unavailable: another process has it open; InvalidArgument:
  /// options.
  static absl::StatusOr<std::unique_ptr<RocksLog>> Open(const std::string& dir, const RocksLogOptions& options);
  /// StopAppends. Nothing may call the log meanwhile, but for callbacks, which are refused.
  ~RocksLog() override;
  uint32_t PartitionCount(Topic topic) const override;
  absl::StatusOr<std::vector<Offset>> Append(std::vector<AppendRecord> batch) override;
  void AppendAsync(std::vector<AppendRecord> batch, AppendDone done) override;
  absl::StatusOr<ReadResult> Read(Topic topic, uint32_t partition, Offset offset, size_t records_max,
                                  size_t bytes_max) const override;
  absl::StatusOr<Offset> BeginOffset(Topic topic, uint32_t partition) const override;
  absl::StatusOr<Offset> EndOffset(Topic topic, uint32_t partition) const override;
  bool WaitForAppend(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const override;
  absl::Status Truncate(Topic topic, uint32_t partition, Offset offset) override;
  absl::StatusOr<Offset> OffsetAtTime(Topic topic, uint32_t partition, int64_t time_us) const override;
  /// Records are exact where no compaction was; bytes are those of stored runs before compression, as they were
  /// appended.
  absl::StatusOr<std::vector<PartitionStats>> Stats() const override;

  void StopAppends() override;
  bool crowded() const override;
  absl::Status Health() const override { return absl::OkStatus(); }
  /// Of the next ApplyRetention; as RocksLogOptions::retention_us.
  absl::Status SetRetention(std::map<Topic, int64_t> retention_us) override;
  /// Of compacted topics only records go that a later one with the same key supersedes, and only from sealed segments
  /// (at least segment_bytes of newer records follow).
  absl::Status ApplyRetention(int64_t now_us) override;
  absl::Status Rewrite(Topic topic, uint32_t partition, std::span<const Replacement> replacements) override;
  absl::Status EraseReplaced(bool everything) override;
  bool rewrites() const override { return true; }
  absl::Status VisitStored(const std::function<void(Topic, std::string_view, std::string_view)>& visit) const override;
  bool in_folder() const override { return true; }
  absl::Status Checkpoint(const std::string& to) const override;
  /// Checksums, order, and that nothing is missing.
  absl::StatusOr<VerifyReport> Verify() const override;
  Counters counters() const override;

 private:
  struct Pending {
    std::vector<AppendRecord> batch;
    AppendDone done;
    absl::Status refusal;  ///< not OK: only `done` is left to do
    size_t bytes = 0;
    bool may_linger = false;
  };
  /// One partition's share of the group that is being written.
  struct Bucket {
    RunBuilder run;
    Offset next_offset = 0;
    uint64_t records = 0, bytes = 0;
    bool touched = false;
  };
  struct TopicState {
    TopicState(Topic topic, uint32_t partitions) : topic(topic), segments(partitions), buckets(partitions) {}
    const Topic topic;
    SegmentTable segments;
    mutable std::mutex wait_mutex;
    mutable std::condition_variable appended;
    // Of the writer's thread, for one group.
    std::vector<Bucket> buckets;
    std::vector<uint32_t> touched;
    uint32_t segment = 0;
    bool rolled = false;
  };

  RocksLog(std::string dir, const RocksLogOptions& options);
  absl::Status OpenStore();
  absl::StatusOr<TopicState*> Find(Topic topic, uint32_t partition) const;
  TopicState& state(Topic topic) const;
  absl::Status Check(const std::vector<AppendRecord>& batch, size_t* bytes) const;

  // The writer's thread (rocks_log.cc).
  void WriteLoop();
  bool TakeGroup(std::vector<Pending>* group);
  absl::Status Commit(std::vector<Pending>& group, std::vector<std::vector<Offset>>* offsets);
  void Touch(TopicState& topic, uint32_t partition, int64_t now_us, rocksdb::WriteBatch* batch);
  void FinishRun(TopicState& topic, uint32_t partition, rocksdb::WriteBatch* batch);
  void Publish(int64_t now_us);
  absl::Status Recover();

  // Retention (rocks_log_retention.cc).
  absl::Status TruncateTo(TopicState& topic, const std::vector<Offset>& begins);
  absl::Status Compact(TopicState& topic, int64_t cutoff_us);
  absl::Status CompactPartition(const TopicState& topic, uint32_t partition, std::span<Segment> segments);

  // Reading (rocks_log_read.cc). The caller holds store_mutex_.
  struct FoundRun {
    Offset first_offset = 0, last_offset = 0;
    int64_t append_time_us = 0;
  };
  absl::Status CheckStore() const;
  absl::StatusOr<std::optional<FoundRun>> FindRun(const TopicState& topic, uint32_t partition, Offset offset) const;
  class Verifier;

  const std::string dir_;
  const RocksLogOptions options_;
  std::array<std::unique_ptr<TopicState>, std::size(kAllTopics)> topics_;
  std::unique_ptr<DurableMark> mark_;

  /// Shared by whoever uses store_; exclusive while Recover replaces it. Null after a recovery that failed half-way.
  mutable std::shared_mutex store_mutex_;
  std::unique_ptr<LogStore> store_;
  std::mutex retention_mutex_;  ///< one Truncate, ApplyRetention or Rewrite at a time
  std::map<Topic, int64_t> retention_us_;
  /// The first and last segment in which Rewrite has replaced something; under retention_mutex_.
  std::map<Topic, std::pair<uint32_t, uint32_t>> rewritten_;

  mutable std::mutex queue_mutex_;
  std::condition_variable queue_filled_, queue_drained_;
  std::deque<Pending> queue_;
  size_t queue_bytes_ = 0;
  bool urgent_ = false;  ///< something in the queue may not linger
  bool closing_ = false;

  // Of the writer's thread.
  std::unique_ptr<rocksdb::WriteBatch> write_batch_;
  std::vector<TopicState*> touched_topics_;
  int64_t last_append_time_us_ = 0;
  bool broken_ = false;
  int64_t next_recovery_us_ = 0;

  std::atomic<uint64_t> records_{0}, groups_{0}, failures_{0}, recoveries_{0};
  std::thread writer_;
};

}  // namespace bowerbird::log
