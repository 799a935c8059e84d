#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/event_log.h"
#include "log/kafka_client.h"
#include "log/kafka_topics.h"

namespace bowerbird::log {

/// Where each partition begins and ends, as far as this process knows: from its own acknowledgements at once, from the
/// brokers when it asks.
///
/// Threads  any.
class KafkaOffsets {
 public:
  /// `client` is used to ask; it must outlive this object.
  KafkaOffsets(rd_kafka_t* client, const KafkaTopicNames* names, uint32_t user_partitions);

  uint32_t partitions(Topic topic) const { return static_cast<uint32_t>(marks(topic).size()); }
  Offset begin(Topic topic, uint32_t partition) const { return marks(topic)[partition].begin; }
  Offset end(Topic topic, uint32_t partition) const { return marks(topic)[partition].end; }
  /// Neither goes back.
  void RaiseBegin(Topic topic, uint32_t partition, Offset begin);
  void RaiseEnd(Topic topic, uint32_t partition, Offset end);
  /// Wakes who waits for `topic`. Apart from RaiseEnd, so that many records wake once.
  void Notify(Topic topic);
  /// As EventLog::WaitForAppend.
  bool Wait(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const;

  /// Asks the brokers for begins or ends of all partitions of `topics`, and raises them. An error names the first
  /// partition without an answer; the others are raised.
  enum class Which : uint8_t { kBegins, kEnds };
  absl::Status Refresh(std::span<const Topic> topics, Which which, int timeout_ms);
  /// First offset whose time is at least `time_ms`; nothing when there is none.
  absl::StatusOr<std::optional<Offset>> AtTime(Topic topic, uint32_t partition, int64_t time_ms, int timeout_ms) const;

 private:
  /// Asks until it is answered with something else than Unavailable, or time is up: who leads a partition may just have
  /// changed.
  absl::Status AskAgain(int timeout_ms, absl::FunctionRef<absl::Status(int left_ms)> ask) const;
  absl::Status RefreshOnce(std::span<const Topic> topics, Which which, int timeout_ms);
  struct Mark {
    std::atomic<Offset> begin = 0, end = 0;
  };
  struct TopicMarks {
    std::vector<Mark> marks;
    mutable std::mutex mutex;
    mutable std::condition_variable grown;
  };
  std::vector<Mark>& marks(Topic topic) { return topics_[static_cast<size_t>(topic) - 1]->marks; }
  const std::vector<Mark>& marks(Topic topic) const { return topics_[static_cast<size_t>(topic) - 1]->marks; }

  rd_kafka_t* const client_;
  const KafkaTopicNames* const names_;
  std::vector<KafkaPtr<rd_kafka_topic_t>> handles_;  ///< so that the client knows whose leaders it is asked for
  std::array<std::unique_ptr<TopicMarks>, std::size(kAllTopics)> topics_;
};

}  // namespace bowerbird::log
