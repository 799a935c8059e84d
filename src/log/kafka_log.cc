#include "log/kafka_log.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::log {
namespace {

constexpr uint32_t kPartitionsMax = 4096;
// For how long a topic counts as waited for.
constexpr int64_t kWaitedUs = 2'000'000;
constexpr int64_t kIdlePlaceUs = 15'000'000;
// A poll that failed is nothing yet: a leader may be moving.
constexpr int64_t kUnhealthyUs = 3'000'000;
constexpr int kPollMs = 2'000;

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaLog>> KafkaLog::Open(const KafkaLogOptions& options) {
  if (options.topics.user_partitions < 1 || options.topics.user_partitions > kPartitionsMax) {
    return absl::InvalidArgumentError(
        fmt::format("user_partitions is {}; expected 1 to {}", options.topics.user_partitions, kPartitionsMax));
  }
  if (options.client.brokers.empty()) return absl::InvalidArgumentError("brokers: found none; expected \"host:port\"");
  std::unique_ptr<KafkaLog> log(new KafkaLog(options));
  if (const absl::Status status = log->Init(); !status.ok()) {
    return absl::Status(status.code(), fmt::format("{} (brokers: {})", std::string(status.message()),
                                                   fmt::join(options.client.brokers, ", ")));
  }
  return log;
}

absl::Status KafkaLog::Init() {
  topic_options_ = options_.topics;
  ASSIGN_OR_RETURN(KafkaConf conf, KafkaConf::Make(options_.client));
  RETURN_IF_ERROR(conf.Set("isolation.level", "read_committed"));
  ASSIGN_OR_RETURN(control_, std::move(conf).NewClient(RD_KAFKA_CONSUMER));
  RETURN_IF_ERROR(EnsureKafkaTopics(control_.get(), names_, topic_options_, answer_ms()));
  offsets_ = std::make_unique<KafkaOffsets>(control_.get(), &names_, topic_options_.user_partitions);
  const int settling_ms = answer_ms() * kKafkaSettlingTimeouts;
  RETURN_IF_ERROR(offsets_->Refresh(kAllTopics, KafkaOffsets::Which::kBegins, settling_ms));
  RETURN_IF_ERROR(offsets_->Refresh(kAllTopics, KafkaOffsets::Which::kEnds, settling_ms));
  reader_ = std::make_unique<KafkaReader>(options_.client, &names_);
  std::vector<KafkaReader::Place> places;
  for (const Topic topic : kAllTopics) {
    for (uint32_t p = 0; p < offsets_->partitions(topic); ++p) {
      const Offset end = offsets_->end(topic, p);
      if (end > offsets_->begin(topic, p)) places.push_back({topic, p, end});
    }
  }
  KafkaProducer::Options producer;
  ASSIGN_OR_RETURN(producer.last_append_time_us, reader_->LastAppendTimeUs(places, int64_t{settling_ms} * 1000));
  producer.client = options_.client;
  producer.clock = options_.clock;
  producer.queue_bytes_max = options_.queue_bytes_max;
  producer.append_timeout_us = options_.append_timeout_us;
  producer.linger_us = options_.linger_us;
  ASSIGN_OR_RETURN(producer_, KafkaProducer::Open(
                                  producer, &names_,
                                  [this](Topic topic, uint32_t partition, Offset offset) {
                                    // Acknowledged by every in-sync replica: the end that readers see is behind it.
                                    offsets_->RaiseEnd(topic, partition, offset + 1);
                                  },
                                  [this](const std::vector<AppendRecord>& batch) {
                                    uint32_t topics = 0;
                                    for (const AppendRecord& record : batch)
                                      topics |= 1u << static_cast<int>(record.topic);
                                    for (const Topic topic : kAllTopics) {
                                      if ((topics & (1u << static_cast<int>(topic))) != 0) offsets_->Notify(topic);
                                    }
                                  }));
  answered_us_ = base::MonotonicUs();
  watcher_ = std::thread([this] { Watch(); });
  return absl::OkStatus();
}

KafkaLog::~KafkaLog() {
  StopAppends();
  {
    const std::lock_guard lock(stop_mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

void KafkaLog::StopAppends() {
  if (producer_ != nullptr) producer_->Stop();
}

absl::Status KafkaLog::Find(Topic topic, uint32_t partition) const {
  const size_t index = static_cast<size_t>(topic) - 1;
  if (index >= std::size(kAllTopics)) {
    return absl::InvalidArgumentError(
        fmt::format("topic is number {}; expected 1 to {}", static_cast<int>(topic), std::size(kAllTopics)));
  }
  if (partition >= offsets_->partitions(topic)) {
    return absl::InvalidArgumentError(
        fmt::format("partition is {}; topic {} has {}", partition, TopicName(topic), offsets_->partitions(topic)));
  }
  return absl::OkStatus();
}

absl::Status KafkaLog::Check(const std::vector<AppendRecord>& batch, size_t* bytes) const {
  for (const AppendRecord& record : batch) RETURN_IF_ERROR(Find(record.topic, record.partition));
  return CheckSizes(batch, bytes);
}

absl::StatusOr<std::vector<Offset>> KafkaLog::Append(std::vector<AppendRecord> batch) {
  return AppendAndWait(this, std::move(batch));
}

void KafkaLog::AppendAsync(std::vector<AppendRecord> batch, AppendDone done) {
  size_t bytes = 0;
  const absl::Status refusal = Check(batch, &bytes);
  if (!refusal.ok()) return producer_->Answer(std::move(done), refusal);
  if (batch.empty()) return producer_->Answer(std::move(done), std::vector<Offset>());
  producer_->Append(std::move(batch), bytes, std::move(done));
}

bool KafkaLog::crowded() const { return producer_->queue_bytes() > options_.queue_bytes_max / 2; }

absl::StatusOr<ReadResult> KafkaLog::Read(Topic topic, uint32_t partition, Offset offset, size_t records_max,
                                          size_t bytes_max) const {
  RETURN_IF_ERROR(Find(topic, partition));
  if (offset > offsets_->end(topic, partition)) {
    // Somebody else may have appended since the last look.
    RETURN_IF_ERROR(offsets_->Refresh({&topic, 1}, KafkaOffsets::Which::kEnds, answer_ms()));
  }
  const Offset begin = offsets_->begin(topic, partition), end = offsets_->end(topic, partition);
  if (offset < begin || offset > end) {
    return absl::OutOfRangeError(fmt::format("offset {} is not in topic {}, partition {}, which has {} to {}", offset,
                                             TopicName(topic), partition, begin, end));
  }
  ReadResult nothing;
  nothing.next_offset = offset;
  if (offset == end || records_max == 0) return nothing;
  absl::StatusOr<ReadResult> read =
      reader_->Read(topic, partition, offset, end, records_max, bytes_max, options_.answer_timeout_us);
  if (absl::IsOutOfRange(read.status())) {
    // Retention has moved the begin; whoever asks next is told where it is.
    offsets_->Refresh({&topic, 1}, KafkaOffsets::Which::kBegins, answer_ms()).IgnoreError();
  }
  if (read.ok()) offsets_->RaiseEnd(topic, partition, read->next_offset);
  return read;
}

absl::StatusOr<Offset> KafkaLog::BeginOffset(Topic topic, uint32_t partition) const {
  RETURN_IF_ERROR(Find(topic, partition));
  return offsets_->begin(topic, partition);
}

absl::StatusOr<Offset> KafkaLog::EndOffset(Topic topic, uint32_t partition) const {
  RETURN_IF_ERROR(Find(topic, partition));
  return offsets_->end(topic, partition);
}

bool KafkaLog::WaitForAppend(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const {
  waited_us_[static_cast<size_t>(topic) - 1] = base::MonotonicUs();
  return offsets_->Wait(topic, seen_ends, timeout_us);
}

absl::Status KafkaLog::Truncate(Topic topic, uint32_t partition, Offset offset) {
  RETURN_IF_ERROR(Find(topic, partition));
  if (offset > offsets_->end(topic, partition)) {
    return absl::InvalidArgumentError(fmt::format("offset {} is beyond the end of topic {}, partition {}, which is {}",
                                                  offset, TopicName(topic), partition,
                                                  offsets_->end(topic, partition)));
  }
  if (offset <= offsets_->begin(topic, partition)) return absl::OkStatus();
  const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), names_[topic].c_str(), static_cast<int32_t>(partition))->offset =
      static_cast<int64_t>(offset);
  rd_kafka_DeleteRecords_t* request = rd_kafka_DeleteRecords_new(list.get());
  const std::string what = fmt::format("kafka: truncate {} partition {}", names_[topic], partition);
  const auto event = KafkaAdmin(control_.get(), RD_KAFKA_ADMIN_OP_DELETERECORDS, answer_ms(), what,
                                [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                                  rd_kafka_DeleteRecords(control_.get(), &request, 1, options, queue);
                                });
  rd_kafka_DeleteRecords_destroy(request);
  RETURN_IF_ERROR(event.status());
  const rd_kafka_topic_partition_list_t* results =
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event->get()));
  for (int i = 0; i < results->cnt; ++i) RETURN_IF_ERROR(KafkaStatus(results->elems[i].err, what));
  offsets_->RaiseBegin(topic, partition, offset);
  return absl::OkStatus();
}

absl::StatusOr<Offset> KafkaLog::OffsetAtTime(Topic topic, uint32_t partition, int64_t time_us) const {
  RETURN_IF_ERROR(Find(topic, partition));
  // Append times are whole milliseconds: the first one at or after.
  const int64_t time_ms = time_us <= 0 ? 0 : (time_us + 999) / 1000;
  ASSIGN_OR_RETURN(const std::optional<Offset> found, offsets_->AtTime(topic, partition, time_ms, answer_ms()));
  return found.has_value() ? std::max(*found, offsets_->begin(topic, partition)) : offsets_->end(topic, partition);
}

absl::StatusOr<std::vector<PartitionStats>> KafkaLog::Stats() const {
  RETURN_IF_ERROR(offsets_->Refresh(kAllTopics, KafkaOffsets::Which::kBegins, answer_ms()));
  RETURN_IF_ERROR(offsets_->Refresh(kAllTopics, KafkaOffsets::Which::kEnds, answer_ms()));
  std::vector<PartitionStats> stats;
  for (const Topic topic : kAllTopics) {
    for (uint32_t p = 0; p < offsets_->partitions(topic); ++p) {
      PartitionStats one;
      one.topic = topic;
      one.partition = p;
      one.begin = offsets_->begin(topic, p);
      one.end = std::max(one.begin, offsets_->end(topic, p));
      one.records = one.end - one.begin;
      one.bytes = std::nullopt;
      stats.push_back(one);
    }
  }
  return stats;
}

absl::Status KafkaLog::SetRetention(std::map<Topic, int64_t> retention_us) {
  const std::lock_guard lock(retention_mutex_);
  if (topic_options_.retention_us == retention_us) return absl::OkStatus();
  KafkaTopicOptions wanted = topic_options_;
  wanted.retention_us = std::move(retention_us);
  RETURN_IF_ERROR(ConfigureKafkaTopics(control_.get(), names_, wanted, answer_ms()));
  topic_options_ = std::move(wanted);
  return absl::OkStatus();
}

absl::Status KafkaLog::Checkpoint(const std::string& /*to*/) const {
  return absl::UnimplementedError("the log is in Kafka: its records are copied by Kafka's own means");
}

void KafkaLog::VerifyPartition(Topic topic, uint32_t partition, VerifyReport* report) const {
  const auto problem = [&](std::string text) {
    if (report->problems.size() < VerifyReport::kProblemsMax) report->problems.push_back(std::move(text));
    ++report->problem_count;
  };
  Offset offset = offsets_->begin(topic, partition);
  const Offset end = offsets_->end(topic, partition);
  std::optional<Offset> last;
  while (offset < end) {
    const absl::StatusOr<ReadResult> read = Read(topic, partition, offset, 1000, 8u << 20);
    // Where retention has moved on meanwhile, there is nothing left to check.
    if (absl::IsOutOfRange(read.status()) && offsets_->begin(topic, partition) > offset) {
      offset = offsets_->begin(topic, partition);
      continue;
    }
    if (!read.ok()) {
      return problem(fmt::format("topic {}, partition {}, offset {}: {}", TopicName(topic), partition, offset,
                                 std::string(read.status().message())));
    }
    for (const Record& record : read->records) {
      if (last.has_value() && record.offset <= *last) {
        problem(fmt::format("topic {}, partition {}: offset {} follows {}", TopicName(topic), partition, record.offset,
                            *last));
      }
      last = record.offset;
      ++report->records;
      report->bytes += record.key.size() + record.value.size();
    }
    if (read->next_offset <= offset)
      return problem(
          fmt::format("topic {}, partition {}: nothing follows offset {}", TopicName(topic), partition, offset));
    offset = read->next_offset;
  }
}

absl::StatusOr<VerifyReport> KafkaLog::Verify() const {
  RETURN_IF_ERROR(Stats().status());
  VerifyReport report;
  for (const Topic topic : kAllTopics) {
    for (uint32_t p = 0; p < offsets_->partitions(topic); ++p) VerifyPartition(topic, p, &report);
  }
  return report;
}

void KafkaLog::Watch() {
  int64_t all_us = base::MonotonicUs();
  std::unique_lock lock(stop_mutex_);
  while (!stopped_.wait_for(lock, std::chrono::microseconds(kWatchedUs), [this] { return stop_; })) {
    lock.unlock();
    const int64_t now_us = base::MonotonicUs();
    const bool all = now_us - all_us >= kUnwatchedUs;
    std::vector<Topic> topics;
    for (const Topic topic : kAllTopics) {
      if (all || now_us - waited_us_[static_cast<size_t>(topic) - 1] < kWaitedUs) topics.push_back(topic);
    }
    if (!topics.empty()) {
      const absl::Status answer = offsets_->Refresh(topics, KafkaOffsets::Which::kEnds, kPollMs);
      const std::lock_guard health_lock(health_mutex_);
      last_answer_ = answer;
      if (answer.ok()) answered_us_ = base::MonotonicUs();
    }
    if (all) {
      offsets_->Refresh(kAllTopics, KafkaOffsets::Which::kBegins, kPollMs).IgnoreError();
      reader_->CloseIdle(now_us - kIdlePlaceUs);
      all_us = base::MonotonicUs();
    }
    lock.lock();
  }
}

absl::Status KafkaLog::Health() const {
  const std::lock_guard lock(health_mutex_);
  const int64_t silent_us = base::MonotonicUs() - answered_us_;
  if (last_answer_.ok() || silent_us < kUnhealthyUs) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("log: {} have not answered for {} s: {}",
                                            fmt::join(options_.client.brokers, ", "), silent_us / 1'000'000,
                                            std::string(last_answer_.message())));
}

ManagedLog::Counters KafkaLog::counters() const {
  const KafkaProducer::Counters& counters = producer_->counters();
  return {counters.records, counters.batches, counters.failures, counters.renewals};
}

std::vector<ManagedLog::Gauge> KafkaLog::gauges() const {
  int64_t silent_us = 0;
  {
    const std::lock_guard lock(health_mutex_);
    if (!last_answer_.ok()) silent_us = base::MonotonicUs() - answered_us_;
  }
  return {{"bowerbird_kafka_unanswered_seconds", "For how long the brokers have not answered for every partition.",
           static_cast<double>(silent_us) * 1e-6},
          {"bowerbird_kafka_waiting_bytes", "Records that are not acknowledged yet.",
           static_cast<double>(producer_->queue_bytes())},
          {"bowerbird_kafka_producers_replaced", "Producers that the cluster fenced, since the start.",
           static_cast<double>(producer_->counters().renewals)}};
}

}  // namespace bowerbird::log
