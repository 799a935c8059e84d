#include "log/kafka_offsets.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::log {
namespace {

constexpr int64_t kAskAgainUs = 50'000;
constexpr int kMetadataMs = 1000;

void Raise(std::atomic<Offset>* mark, Offset to) {
  Offset now = mark->load();
  while (now < to && !mark->compare_exchange_weak(now, to)) {
  }
}

}  // namespace

KafkaOffsets::KafkaOffsets(rd_kafka_t* client, const KafkaTopicNames* names, uint32_t user_partitions)
    : client_(client), names_(names) {
  for (const Topic topic : kAllTopics) {
    auto& made = topics_[static_cast<size_t>(topic) - 1];
    made = std::make_unique<TopicMarks>();
    made->marks = std::vector<Mark>(HasOnePartition(topic) ? 1 : user_partitions);
    handles_.emplace_back(rd_kafka_topic_new(client, (*names)[topic].c_str(), nullptr));
  }
}

void KafkaOffsets::RaiseBegin(Topic topic, uint32_t partition, Offset begin) {
  Raise(&marks(topic)[partition].begin, begin);
}

void KafkaOffsets::RaiseEnd(Topic topic, uint32_t partition, Offset end) { Raise(&marks(topic)[partition].end, end); }

void KafkaOffsets::Notify(Topic topic) {
  const TopicMarks& waited = *topics_[static_cast<size_t>(topic) - 1];
  { const std::lock_guard lock(waited.mutex); }
  waited.grown.notify_all();
}

bool KafkaOffsets::Wait(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const {
  const TopicMarks& waited = *topics_[static_cast<size_t>(topic) - 1];
  const auto grown = [&] {
    for (size_t p = 0; p < waited.marks.size(); ++p) {
      if (waited.marks[p].end > (p < seen_ends.size() ? seen_ends[p] : 0)) return true;
    }
    return false;
  };
  std::unique_lock lock(waited.mutex);
  return waited.grown.wait_for(lock, std::chrono::microseconds(timeout_us), grown);
}

absl::Status KafkaOffsets::AskAgain(int timeout_ms, absl::FunctionRef<absl::Status(int left_ms)> ask) const {
  const int64_t deadline_us = base::MonotonicUs() + int64_t{timeout_ms} * 1000;
  const auto left_ms = [&] {
    return static_cast<int>(std::max<int64_t>((deadline_us - base::MonotonicUs()) / 1000, 1));
  };
  while (true) {
    absl::Status asked = ask(left_ms());
    if (!absl::IsUnavailable(asked) || base::MonotonicUs() + kAskAgainUs >= deadline_us) return asked;
    std::this_thread::sleep_for(std::chrono::microseconds(kAskAgainUs));
    // The library asks whom it took for the leader until its knowledge is old, which takes a minute and more.
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(client_, 0, nullptr, &metadata, std::min(left_ms(), kMetadataMs)) ==
        RD_KAFKA_RESP_ERR_NO_ERROR)
      rd_kafka_metadata_destroy(metadata);
  }
}

absl::Status KafkaOffsets::Refresh(std::span<const Topic> topics, Which which, int timeout_ms) {
  return AskAgain(timeout_ms, [&](int left_ms) { return RefreshOnce(topics, which, left_ms); });
}

absl::Status KafkaOffsets::RefreshOnce(std::span<const Topic> topics, Which which, int timeout_ms) {
  const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(64));
  for (const Topic topic : topics) {
    for (uint32_t p = 0; p < partitions(topic); ++p) {
      // ListOffsets takes these two in place of a time.
      rd_kafka_topic_partition_list_add(list.get(), (*names_)[topic].c_str(), static_cast<int32_t>(p))->offset =
          which == Which::kBegins ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END;
    }
  }
  RETURN_IF_ERROR(
      KafkaStatus(rd_kafka_offsets_for_times(client_, list.get(), timeout_ms), "kafka: ends of partitions"));
  absl::Status status;
  // The list may come back in another order.
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& found = list->elems[i];
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR || found.offset < 0) {
      if (status.ok()) {
        const rd_kafka_resp_err_t error =
            found.err != RD_KAFKA_RESP_ERR_NO_ERROR ? found.err : RD_KAFKA_RESP_ERR_UNKNOWN;
        status = KafkaStatus(error, fmt::format("kafka: end of {} partition {}", found.topic, found.partition));
      }
      continue;
    }
    const auto at = std::ranges::find(names_->names, found.topic);
    if (at == names_->names.end()) continue;
    const Topic topic = kAllTopics[at - names_->names.begin()];
    const auto partition = static_cast<uint32_t>(found.partition);
    if (which == Which::kBegins) {
      RaiseBegin(topic, partition, static_cast<Offset>(found.offset));
    } else {
      RaiseEnd(topic, partition, static_cast<Offset>(found.offset));
    }
  }
  if (which == Which::kEnds) {
    for (const Topic topic : topics) Notify(topic);
  }
  return status;
}

absl::StatusOr<std::optional<Offset>> KafkaOffsets::AtTime(Topic topic, uint32_t partition, int64_t time_ms,
                                                           int timeout_ms) const {
  const std::string what = fmt::format("kafka: time {} ms in {} partition {}", time_ms, (*names_)[topic], partition);
  std::optional<Offset> found;
  RETURN_IF_ERROR(AskAgain(timeout_ms, [&](int left_ms) -> absl::Status {
    const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_t* const asked =
        rd_kafka_topic_partition_list_add(list.get(), (*names_)[topic].c_str(), static_cast<int32_t>(partition));
    asked->offset = std::max<int64_t>(time_ms, 0);
    RETURN_IF_ERROR(KafkaStatus(rd_kafka_offsets_for_times(client_, list.get(), left_ms), what));
    RETURN_IF_ERROR(KafkaStatus(list->elems[0].err, what));
    if (list->elems[0].offset >= 0) found = static_cast<Offset>(list->elems[0].offset);
    return absl::OkStatus();
  }));
  return found;
}

}  // namespace bowerbird::log
