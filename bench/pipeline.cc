// The log in Kafka: how fast events get in, beside librdkafka's own producer on the same broker, topics and batches;
// and how fast they are read, decoded and folded into state. usage: bench_pipeline --brokers HOST:PORT [--events N]
// [--rounds N] [--json]
#include <librdkafka/rdkafka.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/json_writer.h"
#include "base/rng.h"
#include "bowerbird/v1/event.pb.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "fmt/format.h"
#include "log/kafka_client.h"
#include "log/kafka_log.h"
#include "state/state.h"

namespace {

using namespace bowerbird;  // NOLINT(google-build-using-namespace): a program of one file

constexpr uint32_t kPartitions = 64;
constexpr uint32_t kUsers = 100'000;
constexpr uint32_t kItems = 41'000;
constexpr size_t kBatch = 100;
constexpr size_t kWarmUp = 10'000;

std::string_view Text(int argc, char** argv, std::string_view name, std::string_view fallback) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == name) return argv[i + 1];
  }
  return fallback;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Timed {
  double wall_s = 0, cpu_s = 0;
  double PerSecond(uint64_t events) const { return static_cast<double>(events) / wall_s; }
  double PerCpuSecond(uint64_t events) const { return static_cast<double>(events) / cpu_s; }
};
template <typename Work>
Timed Time(const Work& work) {
  const int64_t from_us = base::MonotonicUs();
  const double cpu_s = CpuSeconds();
  work();
  return {static_cast<double>(base::MonotonicUs() - from_us) * 1e-6, CpuSeconds() - cpu_s};
}

/// Half clicks, half impressions, as intake stamps them; about 230 bytes each.
std::vector<log::AppendRecord> MakeEvents(uint64_t count, const catalog::KeyHasher& hasher) {
  base::Rng rng(42);
  std::vector<log::AppendRecord> records(count);
  int64_t time_us = 1'800'000'000'000'000;
  for (log::AppendRecord& record : records) {
    time_us += static_cast<int64_t>(rng.Below(20'000));
    const double popularity = rng.Uniform();
    const auto item = static_cast<uint64_t>(popularity * popularity * popularity * kItems);
    v1::Event event;
    event.set_schema(1);
    event.set_type(rng.Bernoulli(0.5) ? "impression" : "click");
    event.set_user(fmt::format("user-{}", rng.Below(kUsers)));
    event.set_item(fmt::format("item-{}", item));
    event.set_client_id(fmt::format("0190a1b2-c3d4-{:x}", rng()));
    event.set_event_time_us(time_us);
    event.set_receive_time_us(time_us);
    event.set_surface("home");
    event.set_request_id(fmt::format("{:016x}", rng()));
    event.set_position(static_cast<uint32_t>(1 + rng.Below(25)));
    event.set_config_version("3f8a9c0d12345678");
    event.add_item_categories(fmt::format("category-{}", item % 50));
    const catalog::UserKey user = hasher.User(event.user());
    event.set_user_key(user.value);
    event.set_item_key(hasher.Item(event.item()).value);
    event.set_dedupe_print(hasher.DedupePrint(user, event.client_id()));
    record = {log::Topic::kEvents, catalog::PartitionOf(user, kPartitions), event.user(), event.SerializeAsString()};
  }
  return records;
}

[[noreturn]] void Die(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  std::_Exit(1);
}

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

int main(int argc, char** argv) {
  const std::string brokers(Text(argc, argv, "--brokers", "127.0.0.1:9092"));
  const uint64_t count = std::strtoull(std::string(Text(argc, argv, "--events", "500000")).c_str(), nullptr, 10);
  const uint64_t rounds = std::strtoull(std::string(Text(argc, argv, "--rounds", "3")).c_str(), nullptr, 10);
  const catalog::KeyHasher hasher(base::HashSeed{1, 2, 3});
  const std::vector<log::AppendRecord> events = MakeEvents(count, hasher);
  uint64_t bytes = 0;
  for (const log::AppendRecord& event : events) bytes += event.value.size() + event.key.size();

  std::vector<double> ours, bare, ours_cpu, bare_cpu, folded, folded_cpu;
  std::string dir = (std::filesystem::temp_directory_path() / "bowerbird-bench-XXXXXX").string();
  if (mkdtemp(dir.data()) == nullptr) return 1;
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
    const config::ParseResult config = config::Parse(
        fmt::format("[app]\npartitions = {}\n[state]\ncache_bytes = {}\n", kPartitions, 1u << 30), "bench");
    state::State::Options state_options;
    state_options.publish = false;
    const std::string folder = fmt::format("{}/{}", dir, round);
    auto state = state::State::Open(folder, config.config, log.get(), &base::SystemClock::Get(), state_options);
    if (!state.ok()) Die(state.status());
    const Timed timed = Time([&] {
      if (const absl::Status caught_up = (*state)->CatchUp(); !caught_up.ok()) Die(caught_up);
    });
    const state::State::Counters counted = (*state)->counters();
    if (counted.folded + counted.duplicates != count + std::min<uint64_t>(kWarmUp, count))
      Die(absl::DataLossError("not every event was folded"));
    folded.push_back(timed.PerSecond(count));
    folded_cpu.push_back(timed.PerCpuSecond(count));
  }
  std::filesystem::remove_all(dir);
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject().Key("events").Uint(count).Key("rounds").Uint(rounds).Key("batch").Uint(kBatch);
  json.Key("bytes_per_event").Uint(bytes / std::max<uint64_t>(count, 1)).Key("partitions").Uint(kPartitions);
  json.Key("producer_events_per_second").Double(Median(ours));
  json.Key("librdkafka_events_per_second").Double(Median(bare));
  json.Key("producer_share_of_librdkafka").Double(Median(ours) / Median(bare));
  json.Key("producer_events_per_cpu_second").Double(Median(ours_cpu));
  json.Key("librdkafka_events_per_cpu_second").Double(Median(bare_cpu));
  json.Key("fold_events_per_second").Double(Median(folded));
  json.Key("fold_events_per_cpu_second").Double(Median(folded_cpu));
  json.EndObject();
  std::printf("%s\n", body.c_str());
  return 0;
}
