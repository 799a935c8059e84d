// How fast what was served becomes training rows: read, users folded again, events attributed, labels and signals,
// Parquet written.
//
// usage: bench_rows [--requests N] [--shown N] [--json]
//   --requests  answers in the log (40,000), each with some 13 events
//   --shown     items an answer (25)
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/rng.h"
#include "bowerbird/v1/event.pb.h"
#include "bowerbird/v1/served.pb.h"
#include "catalog/keys.h"
#include "config/objectives.h"
#include "lake/lake.h"
#include "log/rocks_log.h"
#include "rows/builder.h"

namespace bowerbird {
namespace {

constexpr uint32_t kPartitions = 16;
constexpr int64_t kDayUs = 86'400'000'000;
constexpr int64_t kStartUs = 20'454 * kDayUs;  // 2026-01-01
constexpr uint64_t kUsers = 5'000, kItems = 50'000;
constexpr size_t kFeatures = 18;
constexpr std::string_view kConfig = R"(
[app]
partitions = 16
[signals.topics]
kind = "decayed_sum"
by = "item.category"
on = ["click", "save"]
half_life = "7d"
[signals.items]
kind = "last_n"
on = ["click", "save"]
n = 20
[signals.clicks]
kind = "count"
on = ["click"]
window = "7d"
[signals.rate]
kind = "ratio"
of = "click"
on = ["impression"]
window = "30d"
[objectives.click]
on = ["click"]
window = "30m"
[objectives.save]
on = ["save"]
window = "1h"
[objectives.view]
on = ["impression"]
where = "event.dwell_ms >= 10000"
window = "30m"
)";

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  std::exit(1);
}

template <typename T>
T Check(absl::StatusOr<T> value) {
  Check(value.status());
  return *std::move(value);
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class BenchClock final : public base::Clock {
 public:
  int64_t NowUs() const override { return now_us; }
  int64_t now_us = kStartUs;
};

/// What is served and what comes of it, the same in every run.
class Product {
 public:
  Product(log::RocksLog* log, BenchClock* clock, const signal::Set* signals)
      : log_(log), clock_(clock), signals_(signals), values_(kUsers, std::vector<std::string>(signals->size())) {}

  void Live(uint64_t requests, uint32_t shown) {
    for (uint64_t r = 0; r < requests; ++r) {
      // What is appended together happens at once: nobody is answered from what is not in the log.
      if (batch_.empty()) {
        const double share = static_cast<double>(r) / static_cast<double>(requests);
        clock_->now_us = kStartUs + static_cast<int64_t>(share * 0.9 * kDayUs);
      }
      Serve(r, shown);
      if (batch_.size() > 4'000) Flush();
    }
    Flush();
    clock_->now_us = kStartUs + kDayUs + kDayUs / 2;
    v1::Event event = EventOf(0, "click", 0);
    Add(event);
    Flush();
  }
  uint64_t events() const { return events_; }

 private:
  v1::Event EventOf(uint64_t user, const char* type, uint64_t item) {
    v1::Event event;
    event.set_type(type);
    event.set_user(fmt::format("user-{}", user));
    event.set_user_key(hasher_.User(event.user()).value);
    event.set_item(fmt::format("item-{}", item));
    event.set_item_key(hasher_.Item(event.item()).value);
    event.set_client_id(fmt::format("{:016x}", events_));
    event.set_dedupe_print(hasher_.DedupePrint(catalog::UserKey(event.user_key()), event.client_id()));
    event.set_event_time_us(clock_->now_us);
    event.set_receive_time_us(clock_->now_us);
    event.set_schema(1);
    event.set_surface("home");
    event.add_item_categories(fmt::format("topic-{}", item % 40));
    return event;
  }
  void Add(const v1::Event& event) {
    ++events_;
    batch_.push_back({log::Topic::kEvents, catalog::PartitionOf(catalog::UserKey(event.user_key()), kPartitions),
                      event.user(), event.SerializeAsString()});
  }
  void Serve(uint64_t number, uint32_t shown) {
    base::Rng rng(number);
    const uint64_t user = rng.Below(kUsers);
    v1::ServedRecord record;
    record.set_schema(1);
    record.set_request_id(fmt::format("{:028x}", number));
    record.set_kind("recommend");
    const std::string id = fmt::format("user-{}", user);
    const catalog::UserKey key = hasher_.User(id);
    const uint32_t partition = catalog::PartitionOf(key, kPartitions);
    record.set_user_key(key.value);
    record.mutable_request()->set_user(id);
    record.mutable_request()->set_surface("home");
    record.set_time_us(clock_->now_us);
    record.set_config_version("0123456789abcdef");
    record.set_user_offset(partition_events_[partition]);
    for (size_t f = 0; f < kFeatures; ++f) record.add_feature_names(fmt::format("feature_{}", f));
    for (size_t slot = 0; slot < signals_->size(); ++slot) {
      v1::ServedSignal* signal = record.add_signals();
      signal->set_name((*signals_)[slot].signal().name);
      signal->set_id((*signals_)[slot].id());
      signal->set_value(values_[user][slot]);
    }
    std::vector<uint64_t> items;
    for (uint32_t i = 0; i < shown; ++i) {
      items.push_back((rng.Below(kItems) / shown) * shown + i);
      v1::ServedCandidate* candidate = record.add_candidates();
      candidate->set_item(fmt::format("item-{}", items.back()));
      candidate->set_item_key(hasher_.Item(candidate->item()).value);
      candidate->set_position(i + 1);
      candidate->set_rank_score(static_cast<float>(rng.Uniform()));
      candidate->set_final_score(candidate->rank_score());
      for (size_t f = 0; f < kFeatures; ++f) candidate->add_features(static_cast<float>(rng.Uniform()));
      v1::Source* source = candidate->add_sources();
      source->set_generator("for_you");
      source->set_score(0.5f);
      source->set_rank(i + 1);
    }
    batch_.push_back({log::Topic::kServed, partition, id, record.SerializeAsString()});
    for (uint32_t i = 0; i < shown / 2; ++i) Act(record, user, items[i], i + 1, "impression");
    if (rng.Below(2) == 0) Act(record, user, items[rng.Below(shown / 2)], 1, "click");
    if (rng.Below(6) == 0) Act(record, user, items[rng.Below(shown / 2)], 1, "save");
  }
  void Act(const v1::ServedRecord& record, uint64_t user, uint64_t item, uint32_t position, const char* type) {
    v1::Event event = EventOf(user, type, item);
    event.set_request_id(record.request_id());
    event.set_position(position);
    event.set_dwell_ms(static_cast<uint32_t>(events_ * 7919 % 20'000));
    for (const uint32_t slot : signals_->CountingSlots(event.type()))
      (*signals_)[slot].Fold({&event, clock_->now_us, 1}, &values_[user][slot]);
    ++partition_events_[catalog::PartitionOf(catalog::UserKey(event.user_key()), kPartitions)];
    Add(event);
  }
  void Flush() { Check(log_->Append(std::exchange(batch_, {})).status()); }

  log::RocksLog* const log_;
  BenchClock* const clock_;
  const signal::Set* const signals_;
  const catalog::KeyHasher hasher_{base::HashSeed{}};
  std::vector<std::vector<std::string>> values_;
  uint64_t partition_events_[kPartitions] = {};
  std::vector<log::AppendRecord> batch_;
  uint64_t events_ = 0;
};

void Run(uint64_t requests, uint32_t shown, bool as_json) {
  const std::string dir = (std::filesystem::temp_directory_path() / fmt::format("bench_rows_{}", getpid())).string();
  const auto config = config::Parse(kConfig, "bench.toml").config;
  const signal::Set signals(*config);
  const rows::Objectives objectives(*config, Check(config::ParseObjectives(kConfig, "bench.toml")));
  BenchClock clock;
  log::RocksLogOptions options;
  options.user_partitions = kPartitions;
  options.clock = &clock;
  options.memory = store::MakeRocksMemory(32u << 20, 256u << 20);
  const auto log = Check(log::RocksLog::Open(dir + "/log", options));
  Product product(log.get(), &clock, &signals);
  product.Live(requests, shown);
  lake::Lake::Options lake_options;
  lake_options.folder = dir + "/lake";
  lake_options.log = log.get();
  lake_options.clock = &clock;
  lake::Lake lake(std::move(lake_options));
  rows::VersionTimes times{.snapshot = [](std::string_view) { return absl::StatusOr<int64_t>(0); },
                           .ranker = [](std::string_view, std::string_view) { return absl::StatusOr<int64_t>(0); },
                           .features = [](std::string_view, std::string_view) { return absl::StatusOr<int64_t>(0); }};
  rows::PastFeatures no_tables;
  rows::Builder builder(config.get(), &signals, &objectives, log.get(), &lake, times, &no_tables);
  rows::BuildOptions build;
  build.from_us = kStartUs;
  build.to_us = kStartUs + kDayUs;
  const double cpu_before = CpuSeconds();
  const int64_t start_us = base::MonotonicUs();
  const rows::BuildResult result = Check(builder.Build(build));
  const double seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  const double cpu_seconds = CpuSeconds() - cpu_before;
  const rows::SetInfo& set = result.sets.at(0);
  uint64_t bytes = 0;
  for (const lake::TableStatus& table : Check(lake.Status())) {
    if (table.name == rows::kTable) bytes = table.bytes;
  }
  std::filesystem::remove_all(dir);
  const auto candidates = static_cast<double>(set.candidates);
  if (set.rows != requests || result.unattributed > 1 || set.objectives[0].stats.positives == 0) {
    std::fprintf(stderr, "found %lu rows of %lu requests, %lu events without one\n", set.rows, requests,
                 result.unattributed);
    for (const auto& [reason, rows] : set.refused) std::fprintf(stderr, "%s: %lu\n", reason.c_str(), rows);
    std::exit(1);
  }
  if (as_json) {
    std::string text;
    base::JsonWriter json(&text);
    json.BeginObject().Key("requests").Uint(set.rows).Key("candidates").Uint(set.candidates);
    json.Key("events").Uint(product.events()).Key("seconds").Double(seconds).Key("cpu_seconds").Double(cpu_seconds);
    json.Key("candidates_per_core_second").Double(candidates / cpu_seconds);
    json.Key("bytes_per_candidate").Double(static_cast<double>(bytes) / candidates).EndObject();
    std::printf("%s\n", text.c_str());
  } else {
    std::printf("%lu candidates of %lu requests, %lu events: %.2f s, %.2f s of CPU: %.0f candidates/s a core\n",
                set.candidates, set.rows, product.events(), seconds, cpu_seconds, candidates / cpu_seconds);
  }
}

}  // namespace
}  // namespace bowerbird

int main(int argc, char** argv) {
  uint64_t requests = 40'000;
  uint32_t shown = 25;
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--json") {
      json = true;
    } else if (arg == "--requests" && i + 1 < argc) {
      requests = std::strtoull(argv[++i], nullptr, 10);
    } else if (arg == "--shown" && i + 1 < argc) {
      shown = static_cast<uint32_t>(std::strtoul(argv[++i], nullptr, 10));
    } else {
      std::fprintf(stderr, "usage: bench_rows [--requests N] [--shown N] [--json]\n");
      return 2;
    }
  }
  bowerbird::Run(requests, shown, json);
}
