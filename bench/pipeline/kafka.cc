// The log in Kafka: how fast events get in, beside librdkafka's own producer on the same broker, topics and batches;
// and how fast they are read, decoded and folded into state by one thread.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "base/hash.h"
#include "bench/pipeline/events.h"
#include "fmt/format.h"
#include "log/kafka_client.h"
#include "log/kafka_log.h"

namespace bowerbird::bench {
namespace {

constexpr size_t kBatch = 100;
constexpr size_t kWarmUp = 10'000;
/// What it has to reach.
constexpr double kProducerShareMin = 0.7, kFoldPerCpuSecondMin = 100'000;

log::KafkaLogOptions LogOptions(const std::string& brokers) {
  log::KafkaLogOptions options;
  options.client.brokers = {brokers};
  options.topic_prefix = fmt::format("bench{}.", base::HexEncode(base::RandomBytes(4)));
  options.topics.user_partitions = kPartitions;
  options.topics.events_in = false;
  return options;
}

std::unique_ptr<log::KafkaLog> OpenLog(const log::KafkaLogOptions& options) {
  auto opened = log::KafkaLog::Open(options);
  if (!opened.ok()) Die(opened.status());
  return *std::move(opened);
}

Timed OurProducer(log::KafkaLog* log, const std::vector<log::AppendRecord>& events) {
  // Copies are made before the clock runs: intake makes its records itself.
  std::vector<std::vector<log::AppendRecord>> batches;
  for (size_t at = 0; at < events.size(); at += kBatch) {
    batches.emplace_back(events.begin() + static_cast<ptrdiff_t>(at),
                         events.begin() + static_cast<ptrdiff_t>(std::min(at + kBatch, events.size())));
  }
  const std::vector<log::AppendRecord> first(events.begin(),
                                             events.begin() + static_cast<ptrdiff_t>(std::min(kWarmUp, events.size())));
  if (const absl::Status warm = log->Append(first).status(); !warm.ok()) Die(warm);
  std::atomic<uint64_t> acknowledged = 0;
  const Timed timed = Time([&] {
    for (auto& batch : batches) {
      log->AppendAsync(std::move(batch), [&](const absl::StatusOr<std::vector<log::Offset>>& offsets) {
        if (offsets.ok()) acknowledged += offsets->size();
      });
    }
    log->StopAppends();
  });
  if (acknowledged != events.size()) Die(absl::UnavailableError("not every event was acknowledged"));
  return timed;
}

std::atomic<uint64_t> bare_acknowledged = 0;

/// The loop of librdkafka's own examples: produce, poll, wait for the rest.
Timed BareProducer(const std::string& brokers, const std::string& topic, const std::vector<log::AppendRecord>& events) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char error[512];
  for (const auto& [name, value] : {std::pair<const char*, const char*>{"bootstrap.servers", brokers.c_str()},
                                    {"enable.idempotence", "true"},
                                    {"acks", "all"},
                                    {"linger.ms", "1"},
                                    {"message.max.bytes", "5242880"},
                                    {"queue.buffering.max.messages", "10000000"},
                                    {"queue.buffering.max.kbytes", "65536"}}) {
    if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) != RD_KAFKA_CONF_OK) Die(absl::InternalError(error));
  }
  rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) ++bare_acknowledged;
  });
  rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
  if (producer == nullptr) Die(absl::InternalError(error));
  rd_kafka_topic_t* handle = rd_kafka_topic_new(producer, topic.c_str(), nullptr);
  const auto produce = [&](const log::AppendRecord& event) {
    while (rd_kafka_produce(handle, static_cast<int32_t>(event.partition), RD_KAFKA_MSG_F_COPY,
                            const_cast<char*>(event.value.data()), event.value.size(), event.key.data(),
                            event.key.size(), nullptr) != 0) {
      rd_kafka_poll(producer, 10);
    }
    rd_kafka_poll(producer, 0);
  };
  // Connected, and known to the brokers, before the clock runs.
  for (size_t i = 0; i < std::min(kWarmUp, events.size()); ++i) produce(events[i]);
  rd_kafka_flush(producer, 60'000);
  bare_acknowledged = 0;
  const Timed timed = Time([&] {
    for (const log::AppendRecord& event : events) produce(event);
    rd_kafka_flush(producer, 60'000);
  });
  if (bare_acknowledged != events.size()) Die(absl::UnavailableError("not every event was acknowledged"));
  rd_kafka_topic_destroy(handle);
  rd_kafka_destroy(producer);
  return timed;
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

void KafkaRows(const std::string& brokers, uint64_t count, uint64_t rounds, const std::string& dir,
               base::JsonWriter* json) {
  const catalog::KeyHasher hasher(base::HashSeed{1, 2, 3});
  EventMaker maker(&hasher, /*signals=*/false);
  std::vector<log::AppendRecord> events(count);
  std::ranges::generate(events, [&] { return maker.Next(); });
  uint64_t bytes = 0;
  for (const log::AppendRecord& event : events) bytes += event.value.size() + event.key.size();

  std::vector<double> ours, bare, ours_cpu, bare_cpu, folded, folded_cpu;
  // In turn, so that what else the machine does meets both.
  for (uint64_t round = 0; round < rounds; ++round) {
    const log::KafkaLogOptions options = LogOptions(brokers), bare_options = LogOptions(brokers);
    { const auto topics = OpenLog(bare_options); }
    const Timed bare_timed = BareProducer(brokers, bare_options.topic_prefix + "events", events);
    const Timed our_timed = OurProducer(OpenLog(options).get(), events);
    bare.push_back(bare_timed.PerSecond(count));
    bare_cpu.push_back(bare_timed.PerCpuSecond(count));
    ours.push_back(our_timed.PerSecond(count));
    ours_cpu.push_back(our_timed.PerCpuSecond(count));

    const auto log = OpenLog(options);
    const Timed timed = Fold(fmt::format("{}/kafka-{}", dir, round), ConfigWith(""), log.get(), /*threads=*/1,
                             count + std::min<uint64_t>(kWarmUp, count))
                            .timed;
    folded.push_back(timed.PerSecond(count));
    folded_cpu.push_back(timed.PerCpuSecond(count));
  }
  json->Key("events").Uint(count).Key("rounds").Uint(rounds).Key("batch").Uint(kBatch);
  json->Key("bytes_per_event").Uint(bytes / std::max<uint64_t>(count, 1)).Key("partitions").Uint(kPartitions);
  json->Key("producer_events_per_second").Double(Median(ours));
  json->Key("librdkafka_events_per_second").Double(Median(bare));
  json->Key("producer_share_of_librdkafka").Double(Median(ours) / Median(bare));
  json->Key("producer_share_wanted").Double(kProducerShareMin);
  json->Key("producer_events_per_cpu_second").Double(Median(ours_cpu));
  json->Key("librdkafka_events_per_cpu_second").Double(Median(bare_cpu));
  json->Key("fold_events_per_second").Double(Median(folded));
  json->Key("fold_events_per_cpu_second").Double(Median(folded_cpu));
  json->Key("fold_events_per_cpu_second_wanted").Double(kFoldPerCpuSecondMin);
}

}  // namespace bowerbird::bench
