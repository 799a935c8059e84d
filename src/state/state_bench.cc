#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/rng.h"
#include "benchmark/benchmark.h"
#include "rocksdb/db.h"
#include "signal/six_and_twenty_for_test.h"
#include "state/events_for_test.h"
#include "state/fold.h"
#include "state/memory_log_for_test.h"
#include "state/state.h"

namespace bowerbird::state {
namespace {

constexpr uint32_t kPartitions = 64, kItems = 41'000;

/// 0: no signals; 1: six keyed and twenty plain ones per user; 2: a count in a window and a decayed sum per item.
enum Signals : int64_t { kNone, kPerUser, kPerItem };

std::vector<config::Signal> TwoPerItem() {
  std::vector<config::Signal> signals(2);
  for (config::Signal& signal : signals) {
    signal.per_item = true;
    signal.on = {"click"};
  }
  signals[0].name = "clicks";
  signals[0].kind = "count";
  signals[0].window_us = 7 * kDayUs;
  signals[1].name = "strength";
  signals[1].kind = "decayed_sum";
  signals[1].of = "event.weight";
  signals[1].half_life_us = 3 * kDayUs;
  return signals;
}

std::shared_ptr<const config::Config> BenchConfig(uint64_t cache_bytes, int64_t signals = kNone) {
  config::Config config = TestConfig();
  if (signals == kPerItem) config.signals = TwoPerItem();
  if (signals == kPerUser) {
    const auto declared = config::Parse("[items.attributes]\ncreator = \"string\"\n" + signal::SixAndTwenty(), "bench");
    config.item_attributes = declared.config->item_attributes;
    config.signals = declared.config->signals;
  }
  config.state = config::State();
  config.state.dedupe_window_us = 7 * kDayUs;
  config.state.affinity_half_life_us = 7 * kDayUs;
  config.state.cache_bytes = cache_bytes;
  return std::make_shared<config::Config>(config);
}

/// `events` actions (half of them clicks, the rest impressions) in time order, as intake writes them: 230 bytes each.
void FillLog(uint32_t users, uint64_t events, double impressions, log::EventLog* log, bool creators = false) {
  base::Rng rng(42);
  int64_t now_us = kStartUs;
  std::vector<log::AppendRecord> batch;
  for (uint64_t i = 0; i < events; ++i) {
    now_us += static_cast<int64_t>(rng.Below(20'000));
    const double popularity = rng.Uniform();
    const auto item = static_cast<uint64_t>(popularity * popularity * popularity * kItems);
    v1::Event event =
        TestEvent(rng.Bernoulli(impressions) ? "impression" : "click", fmt::format("user-{}", rng.Below(users)),
                  fmt::format("item-{}", item), fmt::format("0190a1b2-c3d4-{:x}", rng()), now_us);
    event.set_surface("home");
    event.set_request_id(fmt::format("{:016x}", rng()));
    event.set_position(static_cast<uint32_t>(1 + rng.Below(25)));
    event.set_config_version("3f8a9c0d12345678");
    event.add_item_categories(fmt::format("category-{}", item % 50));
    if (creators) {
      (*event.mutable_item_attributes())["creator"].set_string_value(fmt::format("creator-{}", item % 200));
    }
    batch.push_back(ToRecord(event, kPartitions));
    if (batch.size() == 10'000 || i + 1 == events) {
      (void)log->Append(std::move(batch));
      batch.clear();
    }
  }
}

uint64_t FolderBytes(const std::string& path) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

/// Files of the columns that are of users; what is of items is no user's.
uint64_t UserBytes(const std::string& path) {
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), path, &names).ok()) std::abort();
  std::vector<rocksdb::ColumnFamilyDescriptor> columns;
  for (const std::string& name : names) columns.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::OpenForReadOnly(rocksdb::DBOptions(), path, columns, &handles, &opened).ok()) std::abort();
  const std::unique_ptr<rocksdb::DB> db(opened);
  std::vector<rocksdb::LiveFileMetaData> files;
  db->GetLiveFilesMetaData(&files);
  uint64_t bytes = 0;
  for (const rocksdb::LiveFileMetaData& file : files) {
    if (file.column_family_name == "users" || file.column_family_name == "signals") bytes += file.size;
  }
  for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
  return bytes;
}

/// Read, decode, fold, write and flush: users, share of impressions in percent, threads, which Signals.
void Fold(benchmark::State& bench) {
  const auto users = static_cast<uint32_t>(bench.range(0));
  const uint64_t events = 500'000;
  MemoryLog log(kPartitions);
  FillLog(users, events, static_cast<double>(bench.range(1)) / 100, &log, bench.range(3) == kPerUser);
  State::Counters counters;
  uint64_t disk_bytes = 0, user_bytes = 0, signal_bytes = 0, item_signal_bytes = 0, items = 0;
  for (auto _ : bench) {
    bench.PauseTiming();
    const TempFolder folder("state_bench");
    State::Options options;
    options.threads = static_cast<uint32_t>(bench.range(2));
    options.publish = false;
    auto state = *State::Open(folder / "state", BenchConfig(256 << 20, bench.range(3)), &log, &base::SystemClock::Get(),
                              options);
    bench.ResumeTiming();
    if (!state->CatchUp().ok() || !state->Flush().ok()) std::abort();
    bench.PauseTiming();
    counters = state->counters();
    disk_bytes = FolderBytes(folder / "state");
    signal_bytes = 0;
    const SignalStatistics statistics = *state->CollectSignals(std::max(users, kItems));
    for (const SignalStatistics::One& one : statistics.signals) signal_bytes += one.bytes;
    item_signal_bytes = 0;
    for (const SignalStatistics::One& one : statistics.item_signals) item_signal_bytes += one.bytes;
    items = statistics.items;
    // As compaction leaves it: one record a user, nothing merged on top.
    std::vector<catalog::UserKey> all;
    for (uint32_t user = 0; user < users; ++user) all.push_back(TestHasher().User(fmt::format("user-{}", user)));
    if (!state->Erase(all).ok()) std::abort();
    state = nullptr;
    user_bytes = UserBytes(folder / "state");
    bench.ResumeTiming();
  }
  bench.SetItemsProcessed(static_cast<int64_t>(events) * bench.iterations());
  bench.counters["file_bytes_per_event"] = static_cast<double>(counters.bytes_written) / events;
  bench.counters["batch_bytes_per_event"] = static_cast<double>(counters.batch_bytes) / events;
  bench.counters["disk_bytes_per_user"] = static_cast<double>(disk_bytes) / users;
  bench.counters["compacted_bytes_per_user"] = static_cast<double>(user_bytes) / users;
  bench.counters["signal_bytes_per_user"] = static_cast<double>(signal_bytes) / users;
  if (items > 0)
    bench.counters["signal_bytes_per_item"] = static_cast<double>(item_signal_bytes) / static_cast<double>(items);
}
BENCHMARK(Fold)
    ->ArgNames({"users", "impressions", "threads", "signals"})
    ->Args({10'000, 0, 1, 0})
    ->Args({10'000, 50, 1, 0})
    ->Args({5'000, 0, 1, 0})
    ->Args({200'000, 0, 1, 0})
    ->Args({10'000, 50, 2, 0})
    ->Args({10'000, 50, 1, 1})
    ->Args({976, 0, 1, 0})
    ->Args({976, 0, 1, 1})
    ->Args({10'000, 50, 1, 2})
    ->Args({10'000, 0, 1, 2})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

/// What the rules add to the fold of an event of a user with a full record: without (0) and with (1).
void JudgeTraffic(benchmark::State& bench) {
  config::Config config = *BenchConfig(256 << 20);
  config.traffic.enabled = bench.range(0) != 0;
  const FoldPolicy policy(config);
  base::Rng rng(1);
  UserRecord record;
  Change change;
  v1::Event event = TestEvent("click", "user", "item-1", "", kStartUs);
  int64_t now_us = kStartUs;
  uint64_t marks = 0;
  for (auto _ : bench) {
    now_us += static_cast<int64_t>(-std::log(rng.Uniform() + 1e-9) * 10 * kSecondUs);
    event.set_event_time_us(now_us);
    event.set_receive_time_us(now_us);
    event.set_item_key(rng());
    event.set_dedupe_print(rng() | 1);
    if (policy.Judge(event, record, &change) != Verdict::kCounted) std::abort();
    ApplyUserOp(policy.user_layout(), change.user, &record, nullptr);
    marks += policy.MarkOf(event, record, change).has_value();
  }
  bench.counters["marks"] = static_cast<double>(marks);
}
BENCHMARK(JudgeTraffic)->ArgName("rules")->Arg(0)->Arg(1);

/// A user in memory (0: asked for again; 1: after other users' events; 2: after an event of their own), and one that is
/// not (3).
void Get(benchmark::State& bench) {
  const uint32_t users = 2'000;
  MemoryLog log(kPartitions);
  FillLog(users, 200'000, 0, &log);  // 100 actions each
  const TempFolder folder("state_bench_get");
  State::Options options;
  options.publish = false;
  const int64_t kind = bench.range(0);
  auto state = *State::Open(folder / "state", BenchConfig(kind == 3 ? 1 << 20 : 256 << 20), &log,
                            &base::SystemClock::Get(), options);
  if (!state->CatchUp().ok() || !state->Flush().ok()) std::abort();
  base::Rng rng(1);
  uint64_t actions = 0;
  int64_t now_us = kStartUs + 10 * kDayUs;
  for (auto _ : bench) {
    const std::string id = fmt::format("user-{}", kind < 3 ? 7 : rng.Below(users));
    const catalog::UserKey key = TestHasher().User(id);
    if (kind == 1 || kind == 2) {
      bench.PauseTiming();
      for (uint32_t other = 0; other < users; ++other) {  // a user of the same partition
        const std::string other_id = kind == 2 ? id : fmt::format("user-{}", other);
        const v1::Event event = TestEvent("click", other_id, "item-1", "", ++now_us);
        if ((kind == 1 && other_id == id) ||
            catalog::PartitionOf(TestHasher().User(other_id), kPartitions) != catalog::PartitionOf(key, kPartitions)) {
          continue;
        }
        (void)log.Append({ToRecord(event, kPartitions)});
        break;
      }
      (void)state->CatchUp();
      bench.ResumeTiming();
    }
    actions += (*state->Get(key, id))->actions.size();
  }
  benchmark::DoNotOptimize(actions);
}
BENCHMARK(Get)->ArgName("kind")->Arg(0)->Arg(3)->Unit(benchmark::kMicrosecond);
BENCHMARK(Get)->ArgName("kind")->Arg(1)->Arg(2)->Unit(benchmark::kMicrosecond)->Iterations(2'000);

/// Publishing a table of 41,000 items with 2,000 events since the one before: which Signals.
void Publish(benchmark::State& bench) {
  MemoryLog log(kPartitions);
  FillLog(10'000, 300'000, 0, &log);
  const TempFolder folder("state_bench_publish");
  State::Options options;
  options.publish = false;
  auto state =
      *State::Open(folder / "state", BenchConfig(256 << 20, bench.range(0)), &log, &base::SystemClock::Get(), options);
  if (!state->CatchUp().ok()) std::abort();
  for (auto _ : bench) {
    bench.PauseTiming();
    FillLog(10'000, 2'000, 0, &log);
    if (!state->CatchUp().ok()) std::abort();
    bench.ResumeTiming();
    benchmark::DoNotOptimize(state->PublishItemTable(kStartUs, 0));
  }
}
BENCHMARK(Publish)->ArgName("signals")->Arg(kNone)->Arg(kPerItem)->Unit(benchmark::kMillisecond)->Iterations(50);

}  // namespace
}  // namespace bowerbird::state
