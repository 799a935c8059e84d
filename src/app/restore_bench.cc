// What a node that lost its disk waits for: its newest checkpoint fetched, checked and opened.
#include <fmt/format.h>

#include <filesystem>

#include "app/checkpoints.h"
#include "base/rng.h"
#include "benchmark/benchmark.h"
#include "state/events_for_test.h"
#include "state/memory_log_for_test.h"
#include "state/state.h"

namespace bowerbird::app {
namespace {

constexpr uint32_t kPartitions = 64, kItems = 41'000;

/// Arguments: users, and actions of each.
void BM_Restore(benchmark::State& bench) {
  const auto users = static_cast<uint64_t>(bench.range(0)), actions = static_cast<uint64_t>(bench.range(1));
  config::Config made = state::TestConfig();
  made.state = config::State();
  const auto config = std::make_shared<const config::Config>(made);
  const std::string dir = (std::filesystem::temp_directory_path() / "bowerbird_restore_bench").string();
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  state::MemoryLog log(kPartitions);
  base::Rng rng(42);
  int64_t now_us = state::kStartUs;
  std::vector<log::AppendRecord> batch;
  for (uint64_t i = 0; i < users * actions; ++i) {
    now_us += 1'000;
    v1::Event event = state::TestEvent("click", fmt::format("user-{}", i % users),
                                       fmt::format("item-{}", rng.Below(kItems)), fmt::format("{:x}", rng()), now_us);
    event.add_item_categories(fmt::format("category-{}", i % 50));
    batch.push_back(state::ToRecord(event, kPartitions));
    if (batch.size() == 10'000 || i + 1 == users * actions) {
      (void)log.Append(std::move(batch));
      batch.clear();
    }
  }
  const auto files = *remote::RemoteFiles::Open(dir + "/elsewhere");
  Checkpoints checkpoints({"shop", {0, 1}, "fingerprint"}, files.get(), &base::SystemClock::Get());
  state::State::Options options;
  options.threads = 2;
  options.publish = false;
  const auto open = [&] {
    return *state::State::Open(dir + "/state", config, &log, &base::SystemClock::Get(), options);
  };
  CheckpointReport report;
  {
    const auto state = open();
    if (!state->CatchUp().ok() || !state->Flush().ok()) return bench.SkipWithError("the fold failed");
    report = *checkpoints.Take([&](const std::string& to) { return state->Checkpoint(to); }, dir + "/scratch", 1,
                               [] { return absl::OkStatus(); });
  }
  for (auto _ : bench) {
    std::filesystem::remove_all(dir + "/state");
    if (!checkpoints.Restore(dir + "/state", [](const absl::Status&) {}).ok()) {
      return bench.SkipWithError("the restore failed");
    }
    const auto state = open();
    if (!state->CatchUp().ok() || state->counters().folded != 0) {
      return bench.SkipWithError("something was folded again");
    }
  }
  bench.counters["bytes_a_user"] = static_cast<double>(report.bytes) / static_cast<double>(users);
  bench.counters["users/s"] = benchmark::Counter(static_cast<double>(users) * static_cast<double>(bench.iterations()),
                                                 benchmark::Counter::kIsRate);
  std::filesystem::remove_all(dir);
}
BENCHMARK(BM_Restore)
    ->Args({100'000, 20})
    ->Args({1'000'000, 5})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1)
    ->UseRealTime();

}  // namespace
}  // namespace bowerbird::app
