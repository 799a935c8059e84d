#include "log/kafka_inbox.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::log {
namespace {

// Above what a broker takes by default, so that a record that is too large for us is met as one, not as a fetch that
// never ends.
constexpr const char* kFetchBytes = "8388608";
constexpr int kCommittedTimeoutMs = 1000;
constexpr const char* kSessionTimeoutMs = "10000";

std::string ContentType(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  const void* value = nullptr;
  size_t size = 0;
  if (rd_kafka_header_get_last(headers, "content-type", &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return value == nullptr ? std::string() : std::string(static_cast<const char*>(value), size);
}

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaInbox>> KafkaInbox::Open(const KafkaClientOptions& options,
                                                             const std::string& topic_prefix,
                                                             const std::string& member) {
  ASSIGN_OR_RETURN(KafkaConf conf, KafkaConf::Make(options));
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"group.id", topic_prefix + "collect"},
                                    {"group.instance.id", member},
                                    {"session.timeout.ms", kSessionTimeoutMs},
                                    {"enable.auto.commit", "false"},
                                    {"enable.auto.offset.store", "false"},
                                    // What was written before the first start counts, too.
                                    {"auto.offset.reset", "earliest"},
                                    {"isolation.level", "read_committed"},
                                    {"check.crcs", "true"},
                                    {"max.poll.interval.ms", "300000"},
                                    {"queued.max.messages.kbytes", "16384"},
                                    {"fetch.message.max.bytes", kFetchBytes},
                                    {"fetch.wait.max.ms", "100"}}) {
    RETURN_IF_ERROR(conf.Set(name, value));
  }
  ASSIGN_OR_RETURN(KafkaPtr<rd_kafka_t> client, std::move(conf).NewClient(RD_KAFKA_CONSUMER));
  std::unique_ptr<KafkaInbox> inbox(new KafkaInbox(std::move(client), topic_prefix + "events_in"));
  rd_kafka_poll_set_consumer(inbox->client_.get());
  const KafkaPtr<rd_kafka_topic_partition_list_t> topics(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), inbox->topic_.c_str(), RD_KAFKA_PARTITION_UA);
  RETURN_IF_ERROR(KafkaStatus(rd_kafka_subscribe(inbox->client_.get(), topics.get()), "kafka: read " + inbox->topic_));
  return inbox;
}

KafkaInbox::~KafkaInbox() { rd_kafka_consumer_close(client_.get()); }

absl::StatusOr<std::vector<InboxRecord>> KafkaInbox::Take(size_t records_max, size_t bytes_max, int64_t timeout_us) {
  std::vector<InboxRecord> records;
  size_t bytes = 0;
  const int64_t deadline_us = base::MonotonicUs() + timeout_us;
  while (records.size() < records_max && bytes < bytes_max) {
    // Once there is something, no time is spent on waiting for more.
    const int64_t wait_us = records.empty() ? std::max<int64_t>(deadline_us - base::MonotonicUs(), 0) : 0;
    const KafkaPtr<rd_kafka_message_t> message(
        rd_kafka_consumer_poll(client_.get(), static_cast<int>((wait_us + 999) / 1000)));
    if (message == nullptr) break;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      // Said of a state, not of a record: the client goes on by itself. What was taken is still ours.
      if (!records.empty()) break;
      return KafkaStatus(message->err, "kafka: read " + topic_, rd_kafka_message_errstr(message.get()));
    }
    InboxRecord& record = records.emplace_back();
    record.partition = static_cast<uint32_t>(message->partition);
    record.offset = static_cast<Offset>(message->offset);
    record.time_us = std::max<int64_t>(rd_kafka_message_timestamp(message.get(), nullptr), 0) * 1000;
    if (message->key != nullptr) record.key.assign(static_cast<const char*>(message->key), message->key_len);
    if (message->payload != nullptr) record.value.assign(static_cast<const char*>(message->payload), message->len);
    record.content_type = ContentType(*message);
    bytes += record.key.size() + record.value.size();
    taken_[record.partition] = record.offset + 1;
  }
  return records;
}

uint64_t KafkaInbox::Lag() {
  rd_kafka_topic_partition_list_t* list = nullptr;
  if (rd_kafka_assignment(client_.get(), &list) != RD_KAFKA_RESP_ERR_NO_ERROR) return 0;
  const KafkaPtr<rd_kafka_topic_partition_list_t> ours(list);
  std::map<uint32_t, Offset> done;
  bool is_new = false;
  for (int i = 0; i < ours->cnt; ++i) {
    const auto known = done_.find(static_cast<uint32_t>(ours->elems[i].partition));
    if (known != done_.end()) done.insert(*known);
    is_new = is_new || known == done_.end();
  }
  // What went to another process is forgotten: it may come back with more done.
  done_ = std::move(done);
  if (is_new && rd_kafka_committed(client_.get(), ours.get(), kCommittedTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    for (int i = 0; i < ours->cnt; ++i) {
      const rd_kafka_topic_partition_t& at = ours->elems[i];
      if (at.err == RD_KAFKA_RESP_ERR_NO_ERROR)
        done_.try_emplace(static_cast<uint32_t>(at.partition), static_cast<Offset>(std::max<int64_t>(at.offset, 0)));
    }
  }
  uint64_t lag = 0;
  for (const auto& [partition, next] : done_) {
    int64_t low = 0, high = 0;
    if (rd_kafka_get_watermark_offsets(client_.get(), topic_.c_str(), static_cast<int32_t>(partition), &low, &high) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        high < 0) {
      continue;
    }
    // Where nothing was ever done with, it begins at what the topic still has.
    const Offset from = std::max(next, static_cast<Offset>(std::max<int64_t>(low, 0)));
    lag += static_cast<Offset>(high) - std::min(from, static_cast<Offset>(high));
  }
  return lag;
}

absl::Status KafkaInbox::Commit() {
  if (taken_.empty()) return absl::OkStatus();
  const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(1));
  for (const auto& [partition, next] : taken_) {
    rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), static_cast<int32_t>(partition))->offset =
        static_cast<int64_t>(next);
  }
  // Whether or not it succeeds: a partition that now is another process's is no longer ours to commit.
  for (const auto& [partition, next] : taken_) done_[partition] = next;
  taken_.clear();
  return KafkaStatus(rd_kafka_commit(client_.get(), list.get(), 0), "kafka: commit " + topic_);
}

}  // namespace bowerbird::log
