#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "log/event_log.h"
#include "log/kafka_client.h"
#include "log/kafka_topics.h"

namespace bowerbird::log {

/// Appends to the cluster: one idempotent producer with acks=all. Within `append_timeout_us` a batch is acknowledged by
/// every in-sync replica, or told that it failed; until then it is sent again as often as needed, and the brokers drop
/// what they have already.
///
/// Threads  Append from any thread. Callbacks run on the producer's own thread.
/// Bounds   queue_bytes_max of records that are not acknowledged; Append waits when they do not fit.
/// Errors   Unavailable. A producer that the cluster has fenced is replaced: batches under way fail, later ones pass.
class KafkaProducer {
 public:
  struct Options {
    KafkaClientOptions client;
    const base::Clock* clock = &base::SystemClock::Get();
    size_t queue_bytes_max = 64u << 20;
    int64_t append_timeout_us = 20'000'000;
    int64_t linger_us = 1'000;
    int64_t last_append_time_us = 0;  ///< append times do not go below
  };
  /// An acknowledged record, before its batch's callback; on the producer's thread.
  using Acknowledged = std::function<void(Topic topic, uint32_t partition, Offset offset)>;
  /// A batch is done, before its callback.
  using BatchDone = std::function<void(const std::vector<AppendRecord>& batch)>;

  static absl::StatusOr<std::unique_ptr<KafkaProducer>> Open(const Options& options, const KafkaTopicNames* names,
                                                             Acknowledged acknowledged, BatchDone batch_done);
  ~KafkaProducer();

  /// `batch` fits the topics and limits; `bytes` is what it counts in the queue.
  void Append(std::vector<AppendRecord> batch, size_t bytes, EventLog::AppendDone done);
  /// Only calls back, from the producer's thread.
  void Answer(EventLog::AppendDone done, absl::StatusOr<std::vector<Offset>> answer);
  void Stop();

  size_t queue_bytes() const;
  struct Counters {
    std::atomic<uint64_t> records = 0, batches = 0, failures = 0, renewals = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  struct Pending;
  /// What a message of the library carries.
  struct Slot {
    Pending* pending = nullptr;
    Offset offset = 0;
  };
  struct Pending {
    std::vector<AppendRecord> batch;
    std::vector<Slot> slots;
    EventLog::AppendDone done;
    size_t bytes = 0;
    std::atomic<size_t> left = 0;  ///< records without a report
    absl::Status refused;          ///< by the library, when it was to take a record; of the appender's thread
    absl::Status failed;           ///< of the producer's thread
  };
  struct Answered {
    EventLog::AppendDone done;
    absl::StatusOr<std::vector<Offset>> answer;
  };

  KafkaProducer(const Options& options, const KafkaTopicNames* names, Acknowledged acknowledged, BatchDone batch_done);
  absl::Status MakeClient();  // with produce_mutex_ held
  void Produce(Pending* pending);
  void Settle(Pending* pending, size_t records);
  static void OnReport(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque);
  static void OnError(rd_kafka_t* client, int error, const char* reason, void* opaque);
  void Run();
  void Finish(std::unique_ptr<Pending> pending);
  void AnswerAll();
  void Renew();

  const Options options_;
  const KafkaTopicNames* const names_;
  const Acknowledged acknowledged_;
  const BatchDone batch_done_;

  /// Held while records are stamped and handed over, so that their times ascend, and while the client is replaced.
  std::mutex produce_mutex_;
  KafkaPtr<rd_kafka_t> client_;  ///< null: it could not be made yet
  KafkaPtr<rd_kafka_queue_t> main_queue_;
  std::array<KafkaPtr<rd_kafka_topic_t>, std::size(kAllTopics)> topics_;
  int64_t last_append_ms_ = 0;

  mutable std::mutex queue_mutex_;
  std::condition_variable queue_drained_;
  size_t queue_bytes_ = 0;
  size_t under_way_ = 0;  ///< batches and answers that have not called back
  bool closing_ = false;

  std::mutex settled_mutex_;
  std::vector<std::unique_ptr<Pending>> settled_;
  std::vector<Answered> answers_;

  std::atomic<bool> fenced_ = false, stop_ = false;
  Counters counters_;
  std::thread thread_;
};

}  // namespace bowerbird::log
