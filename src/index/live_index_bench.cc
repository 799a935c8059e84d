// Changes into the live index: a bulk import before the first build, and single patches over a snapshot.
#include <benchmark/benchmark.h>

#include "base/rng.h"
#include "index/live_index.h"
#include "index/sample_for_test.h"

namespace bowerbird::index {
namespace {

/// range(0): items; range(1): of them in one call. Near-linear: items/s hardly falls with the number of items.
void BM_Import(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  const auto batch = static_cast<size_t>(state.range(1));
  base::Rng rng(1);
  KeyedItems items = SampleItems(count, &rng);
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[rng.Below(i)]);
  std::vector<Change> changes;
  for (const auto& [key, item] : items) changes.push_back({changes.size(), key, &item});
  for (auto _ : state) {
    LiveIndex live(SampleConfig());
    for (size_t at = 0; at < changes.size(); at += batch) {
      BOWERBIRD_CHECK(live.Apply(std::span(changes).subspan(at, std::min(batch, changes.size() - at))).ok());
    }
    BOWERBIRD_CHECK(live.View()->size() == count);
  }
  state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(BM_Import)
    ->Args({10'000, 1})
    ->Args({100'000, 1})
    ->Args({10'000, 1000})
    ->Args({100'000, 1000})
    ->Args({1'000'000, 1000})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);

/// One patch of an item of a snapshot of range(0) items, published before the call returns.
void BM_Patch(benchmark::State& state) {
  base::Rng rng(1);
  const KeyedItems items = SampleItems(static_cast<uint32_t>(state.range(0)), &rng);
  const CfModel model = SampleModel(items, 64, &rng);
  LiveIndex live(SampleConfig());
  BOWERBIRD_CHECK(live.SwapSnapshot(SampleSnapshot(items, &model, 0, "000001")).ok());
  uint64_t offset = 0;
  for (auto _ : state) {
    const auto& [key, item] = items[rng.Below(items.size())];
    const Change change = {offset++, key, &item};
    BOWERBIRD_CHECK(live.Apply(std::span(&change, 1)).ok());
  }
}
BENCHMARK(BM_Patch)->Arg(100'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace bowerbird::index
