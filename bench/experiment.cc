// How long the results of a large experiment take: 10 million exposures, five metrics with CUPED, over a lake that the
// lake's own writer wrote; and what they say, beside what is true.
//
// usage: bench_experiment [--exposures N] [--users N] [--events N] [--dir DIR] [--json]
//   --dir   where the lake is made; one that is there already, of the same numbers, is used again
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
#include "experiment/metrics/measure.h"
#include "experiment/verdict/verdict.h"
#include "lake/lake.h"

namespace bowerbird {
namespace {

constexpr uint32_t kPartitions = 64;
constexpr int64_t kDayUs = 86'400'000'000, kHourUs = 3'600'000'000;
constexpr int64_t kBeginUs = 20'468 * kDayUs;  // of the experiment: 2026-01-15
constexpr int64_t kBeforeDays = 14, kDays = 14;
constexpr int64_t kEndUs = kBeginUs + kDays * kDayUs;
/// The treatment's effect on the chance of a click; it has none on anything else.
constexpr double kLift = 0.02;

constexpr char kConfig[] = R"(
[metrics.clicks]
kind = "mean"
on = ["click"]
[metrics.spend]
kind = "mean"
on = ["purchase"]
of = "event.value"
[metrics.savers]
kind = "proportion"
on = ["save"]
[metrics.long_looks]
kind = "mean"
on = ["closeup"]
where = "event.dwell_ms >= 10000"
[metrics.click_rate]
kind = "ratio"
numerator = { on = ["click"] }
denominator = { on = ["impression"] }
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

struct Sizes {
  uint64_t exposures = 10'000'000, users = 2'500'000, events = 30'000'000;
};

uint64_t UserKey(uint64_t user) { return base::Hash64(fmt::format("user-{}", user)); }
bool IsTreated(uint64_t user) { return (base::CombineHash(user, 77) >> 20 & 1) == 1; }
/// Whoever comes often comes early.
int64_t FirstExposureUs(uint64_t user) {
  return kBeginUs + static_cast<int64_t>(base::CombineHash(user, 78) % static_cast<uint64_t>((kDays - 4) * kDayUs));
}

/// The n-th event of a partition, the same in every run. Some users do a hundred times as much as others, week by week.
void MakeEvent(const Sizes& sizes, uint32_t partition, uint64_t n, int64_t time_us, v1::Event* event) {
  base::Rng rng(base::CombineHash(partition, n));
  const uint64_t per_partition = sizes.users / kPartitions;
  const double skewed = rng.Uniform();
  const auto rank = static_cast<uint64_t>(skewed * skewed * skewed * static_cast<double>(per_partition));
  const uint64_t user = rank * kPartitions + partition;
  const bool lifted = IsTreated(user) && time_us >= FirstExposureUs(user);
  const double click = 0.125 * (lifted ? 1 + kLift : 1), draw = rng.Uniform();
  event->Clear();
  event->set_type(draw < click              ? "click"
                  : draw < click + 0.5      ? "impression"
                  : draw < click + 0.5625   ? "closeup"
                  : draw < click + 0.625    ? "save"
                  : draw < click + 0.640625 ? "purchase"
                                            : "hide");
  event->set_user(fmt::format("user-{}", user));
  event->set_item(fmt::format("item-{}", rng.Below(100'000)));
  // Its print is the client id's: the log says one in a hundred twice.
  event->set_client_id(fmt::format("{:08x}-{:016x}", partition, n));
  event->set_event_time_us(time_us - static_cast<int64_t>(rng.Below(5'000'000)));
  event->set_receive_time_us(time_us);
  event->set_surface("home");
  event->set_request_id(fmt::format("{:016x}", rng()));
  event->set_position(static_cast<uint32_t>(1 + rng.Below(50)));
  event->set_dwell_ms(static_cast<uint32_t>(rng.Below(20'000)));
  if (event->type() == "purchase") event->set_value(5 + 20 * rng.Uniform());
  event->set_schema(1);
  event->set_user_key(UserKey(user));
  event->set_item_key(base::Hash64(event->item()));
  event->set_config_version("0123456789abcdef");
  event->set_dedupe_print(base::CombineHash(event->user_key(), base::Hash64(event->client_id())));
}

/// Four weeks of events, made when they are read; each hundredth record is the one before it again.
class MadeUpLog final : public log::EventLog {
 public:
  explicit MadeUpLog(const Sizes& sizes) : sizes_(sizes), per_partition_(sizes.events / kPartitions) {}
  uint32_t PartitionCount(log::Topic topic) const override { return topic == log::Topic::kEvents ? kPartitions : 1; }
  absl::StatusOr<log::ReadResult> Read(log::Topic topic, uint32_t partition, log::Offset offset, size_t records_max,
                                       size_t bytes_max) const override {
    log::ReadResult read;
    const log::Offset end = topic == log::Topic::kEvents ? per_partition_ : 0;
    thread_local v1::Event event;
    for (size_t bytes = 0; offset < end && read.records.size() < records_max && bytes < bytes_max; ++offset) {
      log::Record& record = read.records.emplace_back();
      record.offset = offset;
      record.append_time_us = TimeOf(offset);
      const uint64_t original = offset % 100 == 1 ? offset - 1 : offset;
      MakeEvent(sizes_, partition, original, TimeOf(original), &event);
      record.value = event.SerializeAsString();
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
  int64_t TimeOf(uint64_t n) const {
    return kBeginUs - kBeforeDays * kDayUs +
           static_cast<int64_t>(static_cast<double>(n) / static_cast<double>(per_partition_) *
                                static_cast<double>((kBeforeDays + kDays) * kDayUs));
  }
  static absl::Status ReadOnly() { return absl::UnimplementedError("a made-up log is only read"); }
  const Sizes sizes_;
  const uint64_t per_partition_;
};

const std::vector<lake::Field>& ExposureFields() {
  using lake::Kind;
  static const auto& fields =
      *new std::vector<lake::Field>{{"partition", Kind::kInt32, false, {}},  {"offset", Kind::kInt64, false, {}},
                                    {"append_time", Kind::kTime, false, {}}, {"experiment", Kind::kText, true, {}},
                                    {"arm", Kind::kText, true, {}},          {"revision", Kind::kInt64, true, {}},
                                    {"phase", Kind::kInt32, true, {}},       {"unit", Kind::kText, true, {}},
                                    {"unit_id", Kind::kText, true, {}},      {"user", Kind::kText, true, {}},
                                    {"user_key", Kind::kInt64, true, {}},    {"time", Kind::kTime, true, {}},
                                    {"surface", Kind::kText, true, {}},      {"request_id", Kind::kText, true, {}},
                                    {"forced", Kind::kBool, true, {}}};
  return fields;
}

/// Each user's first exposure, and one a day after it, hour by hour as a server appends them.
void WriteExposures(const Sizes& sizes, lake::Lake* lake) {
  struct Row {
    int64_t time_us;
    uint64_t user;
  };
  std::vector<Row> rows;
  const uint64_t each = sizes.exposures / sizes.users;
  for (uint64_t user = 0; user < sizes.users; ++user) {
    for (uint64_t day = 0; day < each; ++day)
      rows.push_back({FirstExposureUs(user) + static_cast<int64_t>(day) * kDayUs, user});
  }
  std::ranges::sort(rows, {}, &Row::time_us);
  lake::TableStore* store = Check(lake->JobTable("exposures"));
  const absl::MutexLock lock(&store->writing());
  lake::Manifest next = *store->manifest();
  lake::Batch batch(ExposureFields());
  for (size_t begin = 0; begin < rows.size();) {
    const int64_t hour_us = rows[begin].time_us / kHourUs * kHourUs;
    auto file = Check(lake::PartFile::Create(store, lake::HourDirectory(hour_us), ++next.sequence, ExposureFields()));
    size_t end = begin;
    while (end < rows.size() && rows[end].time_us < hour_us + kHourUs) {
      for (; end < rows.size() && rows[end].time_us < hour_us + kHourUs && batch.rows() < 65'536; ++end) {
        const auto& [time_us, user] = rows[end];
        const std::string name = fmt::format("user-{}", user);
        size_t column = 0;
        batch.column(column++).Int32(0);
        batch.column(column++).Int64(static_cast<int64_t>(end));
        batch.column(column++).Int64(time_us);
        batch.column(column++).Text("buttons");
        batch.column(column++).Text(IsTreated(user) ? "green" : "control");
        batch.column(column++).Int64(1);
        batch.column(column++).Int32(time_us < kBeginUs + 2 * kDayUs ? 0 : 1);
        batch.column(column++).Text("user");
        batch.column(column++).Text(name);
        batch.column(column++).Text(name);
        batch.column(column++).Int64(static_cast<int64_t>(UserKey(user)));
        batch.column(column++).Int64(time_us);
        batch.column(column++).Text("home");
        batch.column(column++).Text(fmt::format("{:016x}", base::CombineHash(user, end)));
        batch.column(column++).Bool(false);
      }
      ArrowArray array;
      batch.Export(&array);
      Check(file->Write(&array));
    }
    next.parts.push_back(Check(file->Finish({}, rows[begin].time_us, rows[end - 1].time_us)));
    begin = end;
  }
  Check(store->Commit(std::move(next)));
}

struct Arguments {
  Sizes sizes;
  std::string dir;
  bool json = false;
};

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--json") {
      arguments.json = true;
      continue;
    }
    if (name == "--exposures") arguments.sizes.exposures = std::strtoull(value, nullptr, 10);
    if (name == "--users") arguments.sizes.users = std::strtoull(value, nullptr, 10);
    if (name == "--events") arguments.sizes.events = std::strtoull(value, nullptr, 10);
    if (name == "--dir") arguments.dir = value;
    ++i;
  }
  return arguments;
}

v1::Experiment MakeExperiment() {
  v1::Experiment experiment;
  experiment.set_id("buttons");
  experiment.set_started_us(kBeginUs);
  experiment.set_stopped_us(kEndUs);
  experiment.set_state(v1::Experiment::STOPPED);
  for (const char* arm : {"control", "green"}) {
    experiment.add_arms()->set_name(arm);
    experiment.mutable_arms()->rbegin()->set_weight(1);
  }
  for (const char* metric : {"clicks", "spend", "savers", "long_looks", "click_rate"}) {
    v1::ExperimentMetric* one = experiment.add_metrics();
    one->set_name(metric);
    if (experiment.metrics_size() > 1) one->set_role(v1::ExperimentMetric::SECONDARY);
  }
  return experiment;
}

void Run(const Arguments& arguments) {
  const bool kept = !arguments.dir.empty();
  const std::string dir =
      kept ? arguments.dir
           : (std::filesystem::temp_directory_path() / fmt::format("bowerbird_bench_experiment_{}", getpid())).string();
  const MadeUpLog log(arguments.sizes);
  lake::Lake::Options options;
  options.folder = dir + "/lake";
  options.log = &log;
  lake::Lake lake(std::move(options));
  const int64_t write_us = base::MonotonicUs();
  Check(lake.CatchUp("events").status());
  if (!std::filesystem::exists(dir + "/lake/exposures/manifest.json")) WriteExposures(arguments.sizes, &lake);
  const double write_seconds = static_cast<double>(base::MonotonicUs() - write_us) * 1e-6;

  const v1::Experiment experiment = MakeExperiment();
  const config::ParseResult config = config::Parse(kConfig, "bench");
  experiment::metrics::StatisticsQuestion question;
  question.experiment = &experiment;
  question.config = config.config.get();
  question.metrics = Check(experiment::metrics::MetricsOf(experiment, Check(config::ParseMetrics(kConfig, "bench"))));
  question.end_us = kEndUs;
  experiment::metrics::MeasureOptions measure;
  measure.limits.threads = 2;
  measure.limits.memory_bytes = uint64_t{4} << 30;
  // The first one also checks the sums of files that were not met before; the second is what a reader waits for.
  std::vector<double> seconds, cpu_seconds;
  experiment::metrics::Statistics statistics;
  for (int round = 0; round < 2; ++round) {
    rusage before{}, after{};
    getrusage(RUSAGE_CHILDREN, &before);
    const int64_t start_us = base::MonotonicUs();
    statistics = Check(experiment::metrics::Measure(&lake, question, measure));
    seconds.push_back(static_cast<double>(base::MonotonicUs() - start_us) * 1e-6);
    getrusage(RUSAGE_CHILDREN, &after);
    const auto total = [](const rusage& usage) {
      return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    };
    cpu_seconds.push_back(total(after) - total(before));
  }
  const v1::ExperimentResults results = experiment::verdict::Judge(experiment, question.metrics, statistics);
  rusage children{};
  getrusage(RUSAGE_CHILDREN, &children);

  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("exposures").Uint(arguments.sizes.exposures).Key("users").Uint(arguments.sizes.users);
  json.Key("events").Uint(arguments.sizes.events).Key("write_seconds").Double(write_seconds);
  json.Key("first_seconds").Double(seconds[0]).Key("seconds").Double(seconds[1]);
  json.Key("cpu_seconds")
      .Double(cpu_seconds[1])
      .Key("threads")
      .Uint(2)
      .Key("memory_limit_bytes")
      .Uint(uint64_t{4} << 30);
  json.Key("memory_peak_bytes").Uint(static_cast<uint64_t>(children.ru_maxrss) * 1024);
  json.Key("decision").String(v1::ExperimentResults::Decision_Name(results.decision()));
  json.Key("sentence").String(results.sentence()).Key("metrics").BeginArray();
  for (const v1::MetricResult& metric : results.metrics()) {
    const double truth = metric.metric() == "clicks" || metric.metric() == "click_rate" ? kLift : 0;
    const v1::ResultRange& range = metric.lift().fixed_horizon();
    json.BeginObject().Key("metric").String(metric.metric()).Key("truth").Double(truth);
    json.Key("lift").Double(metric.lift().value()).Key("low").Double(range.low()).Key("high").Double(range.high());
    json.Key("covers").Bool(range.low() <= truth && truth <= range.high());
    json.Key("variance_reduction").Double(metric.variance_reduction()).EndObject();
  }
  json.EndArray().EndObject();
  if (!arguments.json) {
    std::printf("%s of %s users; results in %.1f s (the first time %.1f s; %.1f s of CPU)\n%s\n",
                fmt::format("{} exposures", arguments.sizes.exposures).c_str(),
                fmt::format("{}", arguments.sizes.users).c_str(), seconds[1], seconds[0], cpu_seconds[1],
                results.sentence().c_str());
  }
  std::printf("%s\n", text.c_str());
  if (!kept) std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace bowerbird

int main(int argc, char** argv) { bowerbird::Run(bowerbird::Parse(argc, argv)); }
