#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/event_log.h"
#include "log/kafka_client.h"
#include "log/kafka_topics.h"

namespace bowerbird::log {

/// Reads any partition from any offset, many at once, as fast as a consumer that follows: each reader that goes on
/// where it stopped keeps its place, and what lies behind it is fetched ahead. No consumer group: the offsets are the
/// caller's.
///
/// Threads  any; two reads of one partition at different places get different places, up to kLanesMax.
/// Bounds   about kAheadBytes fetched ahead a place; places that nobody has used for a while are given up by CloseIdle.
/// Errors   OutOfRange: the brokers no longer have the offset. DataLoss: a checksum. Unavailable: no answer in time.
class KafkaReader {
 public:
  static constexpr size_t kLanesMax = 3;
  static constexpr size_t kAheadBytes = 4u << 20;

  KafkaReader(KafkaClientOptions options, const KafkaTopicNames* names);
  ~KafkaReader();

  /// Records from `offset` on until `records_max`, about `bytes_max` bytes, or `end`, which the brokers have reached.
  absl::StatusOr<ReadResult> Read(Topic topic, uint32_t partition, Offset offset, Offset end, size_t records_max,
                                  size_t bytes_max, int64_t timeout_us);
  /// Gives up the places not used since `before_us` (MonotonicUs).
  void CloseIdle(int64_t before_us);

  /// The largest append time among the last records of `ends` (partitions with records). One pass over all of them.
  struct Place {
    Topic topic;
    uint32_t partition;
    Offset end;
  };
  absl::StatusOr<int64_t> LastAppendTimeUs(const std::vector<Place>& places, int64_t timeout_us);

 private:
  /// One consumer, which can be at one place of each partition.
  struct Lane {
    KafkaPtr<rd_kafka_t> client;
    std::array<KafkaPtr<rd_kafka_topic_t>, std::size(kAllTopics)> topics;
  };
  struct Cursor {
    Lane* lane = nullptr;
    Topic topic = Topic::kEvents;
    uint32_t partition = 0;
    bool started = false;
    bool busy = false;
    int64_t used_us = 0;
    Offset next = 0;
    KafkaPtr<rd_kafka_queue_t> queue;
    std::vector<KafkaPtr<rd_kafka_message_t>> held;  ///< taken from the queue; from held_at on not yet returned
    size_t held_at = 0;
  };

  absl::StatusOr<std::unique_ptr<Lane>> MakeLane() const;
  /// A cursor that nobody else has, at `offset` if one is there.
  absl::StatusOr<Cursor*> Take(Topic topic, uint32_t partition, Offset offset);
  void Give(Cursor* cursor);
  static absl::Status Start(Cursor* cursor, Offset offset);
  static void Halt(Cursor* cursor);
  /// Fills `held` when it is used up. False: nothing came until then.
  static bool Fill(Cursor* cursor, int64_t deadline_us);
  absl::Status ReadInto(Cursor* cursor, Offset end, size_t records_max, size_t bytes_max, int64_t timeout_us,
                        ReadResult* result) const;

  const KafkaClientOptions options_;
  const KafkaTopicNames* const names_;

  std::mutex mutex_;
  std::condition_variable given_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::unique_ptr<Cursor>> cursors_;
};

}  // namespace bowerbird::log
