// How fast the log becomes Parquet, and how fast a day of it is counted.
//
// usage: bench_lake [--events N] [--written N] [--json]
//   --written  events that are read from an embedded log and written to the lake (2,000,000)
//   --events   events of the day that the jobs and queries run over (20,000,000)
#include "lake/lake.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/rng.h"
#include "bowerbird/v1/event.pb.h"
#include "lake/batch_job.h"
#include "lake/sql.h"
#include "log/rocks_log.h"

namespace bowerbird {
namespace {

constexpr uint32_t kPartitions = 64;
constexpr int64_t kDayUs = 86'400'000'000;
constexpr int64_t kStartUs = 20'454 * kDayUs;  // 2026-01-01
constexpr uint64_t kUsers = 1'000'000, kItems = 100'000;

/// An event as intake stamps it, about 250 bytes: the n-th of a partition, the same in every run.
std::string EventBytes(uint32_t partition, uint64_t n, int64_t time_us, v1::Event* event) {
  static constexpr const char* kTypes[] = {"impression", "impression", "impression", "impression",
                                           "click",      "closeup",    "save",       "purchase"};
  static constexpr const char* kCategories[] = {"Kitchen", "Garden", "Travel", "Desks", "Lamps", "Art"};
  base::Rng rng(base::CombineHash(partition, n));
  const uint64_t user = rng.Below(kUsers / kPartitions) * kPartitions + partition, item = rng.Below(kItems);
  event->Clear();
  event->set_type(kTypes[rng.Below(std::size(kTypes))]);
  event->set_user(fmt::format("user-{}", user));
  event->set_item(fmt::format("item-{}", item));
  // One in a hundred is a retry of the one before.
  event->set_client_id(fmt::format("{:08x}-{:016x}", partition, n % 100 == 1 ? n - 1 : n));
  event->set_event_time_us(time_us - static_cast<int64_t>(rng.Below(5'000'000)));
  event->set_surface("home");
  event->set_request_id(fmt::format("{:016x}", rng()));
  event->set_position(static_cast<uint32_t>(1 + rng.Below(50)));
  event->set_dwell_ms(static_cast<uint32_t>(rng.Below(20'000)));
  event->set_schema(1);
  event->set_user_key(base::Hash64(event->user()));
  event->set_item_key(base::Hash64(event->item()));
  event->set_receive_time_us(time_us);
  event->set_config_version("0123456789abcdef");
  event->add_item_categories(kCategories[item % std::size(kCategories)]);
  (*event->mutable_item_attributes())["brand"].set_string_value(fmt::format("brand-{}", item % 50));
  event->set_dedupe_print(base::CombineHash(event->user_key(), base::Hash64(event->client_id())));
  return event->SerializeAsString();
}

/// A day of events, made when they are read.
class MadeUpLog final : public log::EventLog {
 public:
  explicit MadeUpLog(uint64_t events) : per_partition_(events / kPartitions) {}
  uint32_t PartitionCount(log::Topic topic) const override { return topic == log::Topic::kEvents ? kPartitions : 1; }
  absl::StatusOr<log::ReadResult> Read(log::Topic topic, uint32_t partition, log::Offset offset, size_t records_max,
                                       size_t bytes_max) const override {
    log::ReadResult read;
    const log::Offset end = topic == log::Topic::kEvents ? per_partition_ : 0;
    thread_local v1::Event event;
    for (size_t bytes = 0; offset < end && read.records.size() < records_max && bytes < bytes_max; ++offset) {
      const int64_t time_us =
          kStartUs + static_cast<int64_t>(static_cast<double>(offset) / static_cast<double>(per_partition_) * kDayUs);
      log::Record& record = read.records.emplace_back();
      record.offset = offset;
      record.append_time_us = time_us;
      record.value = EventBytes(partition, offset, time_us, &event);
      record.key = event.user();
      bytes += record.value.size();
    }
    read.next_offset = offset;
    return read;
  }
  absl::StatusOr<log::Offset> BeginOffset(log::Topic, uint32_t) const override { return log::Offset{0}; }
  absl::StatusOr<log::Offset> EndOffset(log::Topic topic, uint32_t) const override {
    return topic == log::Topic::kEvents ? per_partition_ : log::Offset{0};
  }
  absl::StatusOr<std::vector<log::Offset>> Append(std::vector<log::AppendRecord>) override { return ReadOnly(); }
  void AppendAsync(std::vector<log::AppendRecord>, AppendDone done) override { done(ReadOnly()); }
  bool WaitForAppend(log::Topic, std::span<const log::Offset>, int64_t) const override { return false; }
  absl::Status Truncate(log::Topic, uint32_t, log::Offset) override { return ReadOnly(); }
  absl::StatusOr<log::Offset> OffsetAtTime(log::Topic, uint32_t, int64_t) const override { return ReadOnly(); }
  absl::StatusOr<std::vector<log::PartitionStats>> Stats() const override { return ReadOnly(); }

 private:
  static absl::Status ReadOnly() { return absl::UnimplementedError("a made-up log is only read"); }
  const uint64_t per_partition_;
};

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

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

struct Rates {
  double seconds = 0, cpu_seconds = 0;
  uint64_t rows = 0, bytes = 0;
};

Rates CatchUp(lake::Lake* lake) {
  Rates rates;
  const double cpu_seconds = CpuSeconds();
  const int64_t start_us = base::MonotonicUs();
  rates.rows = Check(lake->CatchUp("events"));
  rates.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  rates.cpu_seconds = CpuSeconds() - cpu_seconds;
  for (const lake::TableStatus& table : Check(lake->Status())) rates.bytes += table.bytes;
  return rates;
}

/// From an embedded log on disk, as a server's lake follows it.
Rates MeasureWriting(const std::string& dir, uint64_t events) {
  log::RocksLogOptions options;
  options.user_partitions = kPartitions;
  options.memory = store::MakeRocksMemory(32u << 20, 256u << 20);
  const auto log = Check(log::RocksLog::Open(dir + "/log", options));
  v1::Event event;
  for (uint64_t n = 0; n < events;) {
    std::vector<log::AppendRecord> batch;
    for (; n < events && batch.size() < 20'000; ++n) {
      const auto partition = static_cast<uint32_t>(n % kPartitions);
      std::string value = EventBytes(partition, n / kPartitions, kStartUs, &event);
      batch.push_back({log::Topic::kEvents, partition, event.user(), std::move(value)});
    }
    Check(log->Append(std::move(batch)).status());
  }
  lake::Lake lake({.folder = dir + "/written", .log = log.get()});
  return CatchUp(&lake);
}

double Seconds(lake::Lake* lake, std::string sql) {
  lake::SqlQuery query;
  query.sql = std::move(sql);
  query.limits.seconds = 600;
  query.limits.memory_bytes = uint64_t{4} << 30;
  return Check(lake::RunSql(Check(lake->Files()), query)).seconds;
}

int Main(int argc, char** argv) {
  uint64_t events = 20'000'000, written = 2'000'000;
  bool json_only = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--json") {
      json_only = true;
    } else if (i + 1 < argc && (argument == "--events" || argument == "--written")) {
      (argument == "--events" ? events : written) = std::strtoull(argv[++i], nullptr, 10);
    } else {
      std::fprintf(stderr, "usage: bench_lake [--events N] [--written N] [--json]\n");
      return 2;
    }
  }
  const std::string dir =
      (std::filesystem::temp_directory_path() / fmt::format("bowerbird_bench_lake_{}", getpid())).string();
  std::filesystem::create_directories(dir);
  const Rates writing = MeasureWriting(dir, written);
  const MadeUpLog day_log(events);
  lake::Lake day({.folder = dir + "/day", .log = &day_log});
  const Rates made = CatchUp(&day);
  const double first_query_seconds = Seconds(&day, "select count(*) from events");
  const double count_seconds = Seconds(&day, "select type, count(*) from events group by 1");
  lake::BatchJob job;
  job.day = "2026-01-01";
  job.name = "daily_metrics";
  const lake::BatchJobResult metrics = Check(lake::RunBatchJob(&day, job));
  job.name = "user_day";
  const lake::BatchJobResult users = Check(lake::RunBatchJob(&day, job));
  std::filesystem::remove_all(dir);

  const auto rate = [](const Rates& rates) { return static_cast<double>(rates.rows) / rates.cpu_seconds; };
  if (!json_only) {
    std::printf("writing, from an embedded log   %9.0f events/s of CPU (%.0f/s by the clock), %.1f bytes an event\n",
                rate(writing), static_cast<double>(writing.rows) / writing.seconds,
                static_cast<double>(writing.bytes) / static_cast<double>(writing.rows));
    std::printf("a day of %llu events, %.2f GB\n", static_cast<unsigned long long>(made.rows),
                static_cast<double>(made.bytes) * 1e-9);
    std::printf("  first query, with checksums   %9.2f s\n", first_query_seconds);
    std::printf("  events by type                %9.2f s\n", count_seconds);
    std::printf("  daily_metrics                 %9.2f s, %llu rows\n", metrics.seconds,
                static_cast<unsigned long long>(metrics.rows));
    std::printf("  user_day                      %9.2f s, %llu rows\n", users.seconds,
                static_cast<unsigned long long>(users.rows));
  }
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("write_events_per_cpu_second").Double(rate(writing));
  json.Key("write_events_per_second").Double(static_cast<double>(writing.rows) / writing.seconds);
  json.Key("bytes_per_event").Double(static_cast<double>(writing.bytes) / static_cast<double>(writing.rows));
  json.Key("day_events").Uint(made.rows).Key("day_bytes").Uint(made.bytes);
  json.Key("first_query_seconds").Double(first_query_seconds).Key("count_by_type_seconds").Double(count_seconds);
  json.Key("daily_metrics_seconds").Double(metrics.seconds).Key("user_day_seconds").Double(users.seconds).EndObject();
  std::printf("%s\n", text.c_str());
  return 0;
}

}  // namespace
}  // namespace bowerbird

int main(int argc, char** argv) { return bowerbird::Main(argc, argv); }
