#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "log/event_log.h"
#include "log/kafka_client.h"
#include "log/kafka_offsets.h"
#include "log/kafka_producer.h"
#include "log/kafka_reader.h"
#include "log/kafka_topics.h"
#include "log/managed_log.h"

namespace bowerbird::log {

struct KafkaLogOptions {
  KafkaClientOptions client;
  std::string topic_prefix;
  KafkaTopicOptions topics;
  const base::Clock* clock = &base::SystemClock::Get();
  size_t queue_bytes_max = 64u << 20;      ///< as KafkaProducer
  int64_t append_timeout_us = 20'000'000;  ///< an append is acknowledged or failed within it
  int64_t answer_timeout_us = 10'000'000;  ///< reads and questions to the brokers
  int64_t linger_us = 1'000;               ///< how long a record waits for others of its partition
};

/// The log in an Apache Kafka cluster: topic PREFIXevents and its kin, which any Kafka client can read.
///
/// Data     one record a Kafka record: key, value, and the append time as CreateTime, in whole milliseconds.
/// Offsets  Kafka's own: not dense where the brokers have compacted.
/// Shared   other processes may append to the same topics. EndOffset and WaitForAppend know of their records after at
///          most kWatchedUs where somebody waits, kUnwatchedUs elsewhere; of our own at once.
/// Threads  as EventLog; the callbacks of AppendAsync must not call Append.
/// Errors   brokers away: appends wait up to append_timeout_us, then are Unavailable; a record of such a batch may be
///          there or not. Reads are Unavailable after answer_timeout_us. Both go on by themselves when the brokers are
///          back. A batch that fails can be there in part: there is no transaction across its partitions.
class KafkaLog final : public ManagedLog {
 public:
  static constexpr int64_t kWatchedUs = 20'000;
  static constexpr int64_t kUnwatchedUs = 1'000'000;

  /// Makes missing topics, and sees to their configuration. As EnsureKafkaTopics, and InvalidArgument: options.
  static absl::StatusOr<std::unique_ptr<KafkaLog>> Open(const KafkaLogOptions& options);
  ~KafkaLog() override;

  uint32_t PartitionCount(Topic topic) const override { return offsets_->partitions(topic); }
  absl::StatusOr<std::vector<Offset>> Append(std::vector<AppendRecord> batch) override;
  void AppendAsync(std::vector<AppendRecord> batch, AppendDone done) override;
  absl::StatusOr<ReadResult> Read(Topic topic, uint32_t partition, Offset offset, size_t records_max,
                                  size_t bytes_max) const override;
  absl::StatusOr<Offset> BeginOffset(Topic topic, uint32_t partition) const override;
  absl::StatusOr<Offset> EndOffset(Topic topic, uint32_t partition) const override;
  bool WaitForAppend(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const override;
  absl::Status Truncate(Topic topic, uint32_t partition, Offset offset) override;
  absl::StatusOr<Offset> OffsetAtTime(Topic topic, uint32_t partition, int64_t time_us) const override;
  /// Records as if none were compacted away. Of bytes the brokers say nothing.
  absl::StatusOr<std::vector<PartitionStats>> Stats() const override;

  void StopAppends() override;
  bool crowded() const override;
  /// Unavailable: no broker has answered for a while, or a partition has no leader.
  absl::Status Health() const override;
  /// The topics' configuration; the brokers do the rest.
  absl::Status SetRetention(std::map<Topic, int64_t> retention_us) override;
  absl::Status ApplyRetention(int64_t /*now_us*/) override { return absl::OkStatus(); }
  /// Records of a topic cannot be changed; they go with its retention.
  absl::Status Rewrite(Topic, uint32_t, std::span<const Replacement>) override {
    return absl::UnimplementedError("records of a Kafka topic cannot be changed: they go with its retention");
  }
  absl::Status EraseReplaced(bool) override { return absl::OkStatus(); }
  bool rewrites() const override { return false; }
  absl::Status VisitStored(const std::function<void(Topic, std::string_view, std::string_view)>&) const override {
    return absl::OkStatus();
  }
  bool in_folder() const override { return false; }
  absl::Status Checkpoint(const std::string& to) const override;
  /// Reads everything, and with it its checksums.
  absl::StatusOr<VerifyReport> Verify() const override;
  Counters counters() const override;
  std::vector<Gauge> gauges() const override;

 private:
  explicit KafkaLog(const KafkaLogOptions& options) : options_(options), names_(options.topic_prefix) {}
  absl::Status Init();
  absl::Status Find(Topic topic, uint32_t partition) const;
  absl::Status Check(const std::vector<AppendRecord>& batch, size_t* bytes) const;
  void VerifyPartition(Topic topic, uint32_t partition, VerifyReport* report) const;
  void Watch();
  int answer_ms() const { return static_cast<int>(options_.answer_timeout_us / 1000); }

  const KafkaLogOptions options_;
  const KafkaTopicNames names_;
  KafkaPtr<rd_kafka_t> control_;  ///< asks and administers: on a connection where no fetch makes it wait
  std::unique_ptr<KafkaOffsets> offsets_;
  std::unique_ptr<KafkaReader> reader_;
  std::unique_ptr<KafkaProducer> producer_;

  std::mutex retention_mutex_;
  KafkaTopicOptions topic_options_;  ///< under retention_mutex_

  /// When somebody last waited for a topic, MonotonicUs.
  mutable std::array<std::atomic<int64_t>, std::size(kAllTopics)> waited_us_ = {};
  mutable std::mutex health_mutex_;
  absl::Status last_answer_;
  int64_t answered_us_ = 0;
  std::mutex stop_mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread watcher_;
};

}  // namespace bowerbird::log
