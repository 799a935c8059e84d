// What an event costs in six keyed and twenty plain signals, and how many bytes the values of a user of 512 actions
// are.
#include <vector>

#include "benchmark/benchmark.h"
#include "signal/signals_for_test.h"
#include "signal/six_and_twenty_for_test.h"

namespace bowerbird::signal {
namespace {

const Set& TwentySix() {
  static const auto* const set = new Set(*ParseConfig(SixAndTwenty()));
  return *set;
}

size_t FoldInto(const Set& set, const Act& act, std::vector<std::string>* values) {
  const auto slots = set.CountingSlots(act.event.type());
  for (const uint32_t slot : slots) set[slot].Fold(act.input(), &(*values)[slot]);
  return slots.size();
}

void Fold(benchmark::State& bench) {
  const std::vector<Act> acts = RandomActs(7, 4096, 2'000);
  std::vector<std::string> values(TwentySix().size());
  size_t at = 0, folds = 0;
  for (auto _ : bench) folds += FoldInto(TwentySix(), acts[at++ % 512], &values);
  bench.SetItemsProcessed(bench.iterations());
  bench.counters["signals_an_event"] = static_cast<double>(folds) / static_cast<double>(bench.iterations());
}
BENCHMARK(Fold);

void FoldOne(benchmark::State& bench) {
  const auto slot = static_cast<size_t>(bench.range(0));
  const std::vector<Act> acts = RandomActs(7, 512, 2'000);
  std::vector<const Act*> counted;
  for (const Act& act : acts) {
    if (std::ranges::find(TwentySix().CountingSlots(act.event.type()), slot) !=
        TwentySix().CountingSlots(act.event.type()).end()) {
      counted.push_back(&act);
    }
  }
  std::string value;
  size_t at = 0;
  for (auto _ : bench) TwentySix()[slot].Fold(counted[at++ % counted.size()]->input(), &value);
  bench.SetLabel(TwentySix()[slot].signal().name);
  bench.counters["bytes"] = static_cast<double>(value.size());
}
BENCHMARK(FoldOne)->DenseRange(0, 25);

/// Bytes after 512 actions (impressions apart), and the cost of reading all signals of such a user.
void Read(benchmark::State& bench) {
  const std::vector<Act> acts = RandomActs(7, 1024, 2'000);
  std::vector<std::string> values(TwentySix().size());
  for (const Act& act : acts) FoldInto(TwentySix(), act, &values);
  size_t bytes = 0;
  for (const std::string& value : values) bytes += value.size();
  for (auto _ : bench) {
    for (size_t slot = 0; slot < values.size(); ++slot) {
      benchmark::DoNotOptimize(TwentySix()[slot].Read(values[slot], acts.back().time_us));
    }
  }
  bench.counters["bytes_a_user"] = static_cast<double>(bytes);
}
BENCHMARK(Read);

}  // namespace
}  // namespace bowerbird::signal
