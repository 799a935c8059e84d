#include "log/kafka_reader.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::log {
namespace {

constexpr size_t kTakeAtOnce = 512;

void KeepRecord(const rd_kafka_message_t& message, ReadResult* result, size_t* bytes) {
  Record& record = result->records.emplace_back();
  record.offset = static_cast<Offset>(message.offset);
  record.append_time_us = rd_kafka_message_timestamp(&message, nullptr) * 1000;
  if (message.key != nullptr) record.key.assign(static_cast<const char*>(message.key), message.key_len);
  if (message.payload != nullptr) record.value.assign(static_cast<const char*>(message.payload), message.len);
  *bytes += record.key.size() + record.value.size();
  result->next_offset = record.offset + 1;
}

}  // namespace

KafkaReader::KafkaReader(KafkaClientOptions options, const KafkaTopicNames* names)
    : options_(std::move(options)), names_(names) {}

KafkaReader::~KafkaReader() {
  for (auto& cursor : cursors_) Halt(cursor.get());
  cursors_.clear();
}

absl::StatusOr<std::unique_ptr<KafkaReader::Lane>> KafkaReader::MakeLane() const {
  ASSIGN_OR_RETURN(KafkaConf conf, KafkaConf::Make(options_));
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"enable.partition.eof", "true"},
                                    {"check.crcs", "true"},
                                    {"auto.offset.reset", "error"},
                                    {"enable.auto.commit", "false"},
                                    {"auto.commit.enable", "false"},
                                    {"isolation.level", "read_committed"},
                                    {"queued.max.messages.kbytes", std::to_string(kAheadBytes >> 10)},
                                    // A place that is new to the broker waits until the fetch under way has returned.
                                    {"fetch.wait.max.ms", "10"},
                                    {"fetch.error.backoff.ms", "100"}}) {
    RETURN_IF_ERROR(conf.Set(name, value));
  }
  auto lane = std::make_unique<Lane>();
  ASSIGN_OR_RETURN(lane->client, std::move(conf).NewClient(RD_KAFKA_CONSUMER));
  for (const Topic topic : kAllTopics) {
    auto& handle = lane->topics[static_cast<size_t>(topic) - 1];
    handle.reset(rd_kafka_topic_new(lane->client.get(), (*names_)[topic].c_str(), nullptr));
    if (handle == nullptr) return KafkaStatus(rd_kafka_last_error(), "kafka topic " + (*names_)[topic]);
  }
  return lane;
}

absl::StatusOr<KafkaReader::Cursor*> KafkaReader::Take(Topic topic, uint32_t partition, Offset offset) {
  std::unique_lock lock(mutex_);
  while (true) {
    Cursor* oldest = nullptr;
    std::vector<Lane*> taken;
    for (const auto& cursor : cursors_) {
      if (cursor->topic != topic || cursor->partition != partition) continue;
      taken.push_back(cursor->lane);
      if (cursor->busy) continue;
      if (cursor->started && cursor->next == offset) {
        cursor->busy = true;
        return cursor.get();
      }
      if (oldest == nullptr || cursor->used_us < oldest->used_us) oldest = cursor.get();
    }
    // A place of its own, so that who follows the end keeps theirs.
    if (taken.size() < kLanesMax) {
      Lane* free_lane = nullptr;
      for (const auto& lane : lanes_) {
        if (free_lane == nullptr && std::ranges::find(taken, lane.get()) == taken.end()) free_lane = lane.get();
      }
      if (free_lane == nullptr) {
        ASSIGN_OR_RETURN(auto lane, MakeLane());
        lanes_.push_back(std::move(lane));
        free_lane = lanes_.back().get();
      }
      cursors_.push_back(std::make_unique<Cursor>());
      oldest = cursors_.back().get();
      oldest->lane = free_lane;
      oldest->topic = topic;
      oldest->partition = partition;
    }
    if (oldest != nullptr) {
      oldest->busy = true;
      return oldest;
    }
    given_.wait(lock);
  }
}

void KafkaReader::Give(Cursor* cursor) {
  {
    const std::lock_guard lock(mutex_);
    cursor->busy = false;
    cursor->used_us = base::MonotonicUs();
  }
  given_.notify_all();
}

absl::Status KafkaReader::Start(Cursor* cursor, Offset offset) {
  Halt(cursor);
  cursor->queue.reset(rd_kafka_queue_new(cursor->lane->client.get()));
  rd_kafka_topic_t* const topic = cursor->lane->topics[static_cast<size_t>(cursor->topic) - 1].get();
  if (rd_kafka_consume_start_queue(topic, static_cast<int32_t>(cursor->partition), static_cast<int64_t>(offset),
                                   cursor->queue.get()) != 0) {
    cursor->queue = nullptr;
    return KafkaStatus(rd_kafka_last_error(), fmt::format("kafka: read {} partition {} from {}",
                                                          rd_kafka_topic_name(topic), cursor->partition, offset));
  }
  cursor->started = true;
  cursor->next = offset;
  return absl::OkStatus();
}

void KafkaReader::Halt(Cursor* cursor) {
  if (!cursor->started) return;
  rd_kafka_consume_stop(cursor->lane->topics[static_cast<size_t>(cursor->topic) - 1].get(),
                        static_cast<int32_t>(cursor->partition));
  cursor->held.clear();
  cursor->held_at = 0;
  cursor->queue = nullptr;
  cursor->started = false;
}

bool KafkaReader::Fill(Cursor* cursor, int64_t deadline_us) {
  if (cursor->held_at < cursor->held.size()) return true;
  cursor->held.clear();
  cursor->held_at = 0;
  rd_kafka_message_t* messages[kTakeAtOnce];
  // It waits for as many as were asked for: first what is there, then for one.
  ssize_t count = rd_kafka_consume_batch_queue(cursor->queue.get(), 0, messages, kTakeAtOnce);
  if (count == 0) {
    const int64_t wait_us = deadline_us - base::MonotonicUs();
    if (wait_us > 0) {
      count = rd_kafka_consume_batch_queue(cursor->queue.get(), static_cast<int>((wait_us + 999) / 1000), messages, 1);
    }
  }
  for (ssize_t i = 0; i < count; ++i) cursor->held.emplace_back(messages[i]);
  return count > 0;
}

absl::Status KafkaReader::ReadInto(Cursor* cursor, Offset end, size_t records_max, size_t bytes_max, int64_t timeout_us,
                                   ReadResult* result) const {
  const int64_t deadline_us = base::MonotonicUs() + timeout_us;
  size_t bytes = 0;
  while (result->next_offset < end && result->records.size() < records_max &&
         (bytes < bytes_max || result->records.empty())) {
    if (!Fill(cursor, deadline_us)) {
      if (!result->records.empty()) return absl::OkStatus();
      return absl::UnavailableError(fmt::format("kafka: {} partition {}: no record from offset {} within {} ms",
                                                (*names_)[cursor->topic], cursor->partition, result->next_offset,
                                                timeout_us / 1000));
    }
    const KafkaPtr<rd_kafka_message_t> message = std::move(cursor->held[cursor->held_at++]);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      KeepRecord(*message, result, &bytes);
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // Behind the last record there may be offsets without one.
      result->next_offset = std::max(result->next_offset, static_cast<Offset>(message->offset));
    } else {
      return KafkaStatus(message->err, fmt::format("kafka: {} partition {} at offset {}", (*names_)[cursor->topic],
                                                   cursor->partition, result->next_offset));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ReadResult> KafkaReader::Read(Topic topic, uint32_t partition, Offset offset, Offset end,
                                             size_t records_max, size_t bytes_max, int64_t timeout_us) {
  ASSIGN_OR_RETURN(Cursor* const cursor, Take(topic, partition, offset));
  ReadResult result;
  result.next_offset = offset;
  absl::Status status;
  if (!cursor->started || cursor->next != offset) status = Start(cursor, offset);
  if (status.ok()) status = ReadInto(cursor, end, records_max, bytes_max, timeout_us, &result);
  cursor->next = result.next_offset;
  // After an error nobody knows what the queue holds.
  if (!status.ok()) Halt(cursor);
  Give(cursor);
  if (!status.ok() && result.records.empty()) return status;
  return result;
}

void KafkaReader::CloseIdle(int64_t before_us) {
  std::vector<std::unique_ptr<Cursor>> idle;
  {
    const std::lock_guard lock(mutex_);
    const auto first_idle = std::partition(cursors_.begin(), cursors_.end(), [&](const auto& cursor) {
      return cursor->busy || cursor->used_us >= before_us;
    });
    idle.assign(std::make_move_iterator(first_idle), std::make_move_iterator(cursors_.end()));
    cursors_.erase(first_idle, cursors_.end());
  }
  for (auto& cursor : idle) Halt(cursor.get());
}

absl::StatusOr<int64_t> KafkaReader::LastAppendTimeUs(const std::vector<Place>& places, int64_t timeout_us) {
  if (places.empty()) return 0;
  ASSIGN_OR_RETURN(const std::unique_ptr<Lane> lane, MakeLane());
  const KafkaPtr<rd_kafka_queue_t> queue(rd_kafka_queue_new(lane->client.get()));
  for (const Place& place : places) {
    rd_kafka_topic_t* const topic = lane->topics[static_cast<size_t>(place.topic) - 1].get();
    if (rd_kafka_consume_start_queue(topic, static_cast<int32_t>(place.partition), static_cast<int64_t>(place.end - 1),
                                     queue.get()) != 0) {
      return KafkaStatus(rd_kafka_last_error(), "kafka: read the last records");
    }
  }
  const int64_t deadline_us = base::MonotonicUs() + timeout_us;
  int64_t last_us = 0;
  absl::Status status;
  // Each partition says by an end-of-partition that its last record has come.
  for (size_t ended = 0; ended < places.size() && status.ok();) {
    const int64_t wait_us = deadline_us - base::MonotonicUs();
    rd_kafka_message_t* raw = nullptr;
    if (wait_us <= 0 || rd_kafka_consume_batch_queue(queue.get(), static_cast<int>(wait_us / 1000) + 1, &raw, 1) != 1) {
      status = absl::UnavailableError(fmt::format("kafka: the last records of {} partitions did not come within {} ms",
                                                  places.size() - ended, timeout_us / 1000));
      break;
    }
    const KafkaPtr<rd_kafka_message_t> message(raw);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF || message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
      ++ended;  // or retention was quicker
    } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      last_us = std::max(last_us, rd_kafka_message_timestamp(message.get(), nullptr) * 1000);
    } else {
      status = KafkaStatus(message->err, "kafka: read the last records");
    }
  }
  for (const Place& place : places) {
    rd_kafka_consume_stop(lane->topics[static_cast<size_t>(place.topic) - 1].get(),
                          static_cast<int32_t>(place.partition));
  }
  RETURN_IF_ERROR(status);
  return last_us;
}

}  // namespace bowerbird::log
