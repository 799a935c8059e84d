// A node that lost its state: how fast it is made again from an embedded log, and from the lake once the log has
// dropped everything.
#include <string_view>

#include "base/hash.h"
#include "bench/pipeline/events.h"
#include "lake/lake.h"
#include "lake/log_with_history.h"

namespace bowerbird::bench {
namespace {

constexpr uint32_t kThreads = 2;
constexpr double kPerSecondMin = 250'000, kFromLakePerSecondMin = 100'000;

void Row(std::string_view name, double wanted, uint64_t count, const std::string& dir, log::EventLog* log,
         base::JsonWriter* json) {
  const Folded folded = Fold(dir + "/" + std::string(name), ConfigWith(""), log, kThreads, count);
  const Timed flushed = Time([&] {
    if (const absl::Status status = folded.state->Flush(); !status.ok()) Die(status);
  });
  const double seconds = folded.timed.wall_s + flushed.wall_s;
  json->Key(name).BeginObject().Key("events").Uint(count).Key("users").Uint(kUsers).Key("threads").Uint(kThreads);
  json->Key("seconds").Double(seconds).Key("events_per_second").Double(static_cast<double>(count) / seconds);
  json->Key("events_per_cpu_second").Double(static_cast<double>(count) / (folded.timed.cpu_s + flushed.cpu_s));
  json->Key("events_per_second_wanted").Double(wanted).EndObject();
}

}  // namespace

void RebuildRow(uint64_t count, const std::string& dir, base::JsonWriter* json) {
  const catalog::KeyHasher hasher(base::HashSeed{1, 2, 3});
  EventMaker maker(&hasher, /*signals=*/false);
  const auto log = FillLog(dir + "/rebuild-log", count, &maker);
  Row("rebuild", kPerSecondMin, count, dir, log.get(), json);

  lake::Lake::Options options;
  options.folder = dir + "/rebuild-lake";
  options.log = log.get();
  lake::Lake lake(std::move(options));
  OrDie(lake.CatchUp("events"));
  for (uint32_t p = 0; p < kPartitions; ++p) {
    const log::Offset end = OrDie(log->EndOffset(log::Topic::kEvents, p));
    if (const absl::Status status = log->Truncate(log::Topic::kEvents, p, end); !status.ok()) Die(status);
  }
  lake::LogWithHistory history(log.get(), &lake);
  Row("rebuild_lake", kFromLakePerSecondMin, count, dir, &history, json);
}

}  // namespace bowerbird::bench
