// A snapshot of a million items at 64 dimensions: bytes an item, time to open it with every checksum, key lookups,
// filters.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <filesystem>

#include "base/rng.h"
#include "index/live_index.h"
#include "index/sample_for_test.h"
#include "index/snapshot.h"

namespace bowerbird::index {
namespace {

constexpr uint32_t kItems = 1'000'000;
constexpr uint32_t kDim = 64;

struct Sample {
  Sample() : path(SamplePath("snapshot_bench")) {
    base::Rng rng(1);
    const KeyedItems items = SampleItems(kItems, &rng);
    CfModel model;
    model.dim = kDim;
    model.neighbor_offsets.push_back(0);
    for (const auto& [key, item] : items) {
      model.items.push_back(key);
      model.item_counts.push_back(rng.Below(100));
      for (uint32_t c = 0; c < kDim; ++c) model.factors.push_back(static_cast<float>(rng.Uniform() - 0.5));
      // As many neighbors as the builder keeps: the largest that it can be.
      for (uint32_t n = 0; n < BuildOptions().neighbors_max; ++n) {
        model.neighbors.push_back(static_cast<uint32_t>(rng.Below(kItems)));
        model.neighbor_scores.push_back(1.0f / static_cast<float>(n + 1));
      }
      model.neighbor_offsets.push_back(model.neighbors.size());
      keys.push_back(key);
    }
    model.gramian.assign(kDim * kDim, 0.0f);
    for (uint32_t c = 0; c < kDim; ++c) model.gramian[c * (kDim + 1)] = kItems / 12.0f;
    BuildOptions options;
    options.regression_items_max = 1000;
    auto builder = SnapshotBuilder::Create(path, SampleConfig()).value();
    for (const auto& [key, item] : items) BOWERBIRD_CHECK(builder->Add(key, item).ok());
    report = builder->Finish(1, &model, options).value();
    for (size_t i = keys.size(); i > 1; --i) std::swap(keys[i - 1], keys[rng.Below(i)]);
  }

  ~Sample() { std::filesystem::remove(path); }

  const std::string path;
  BuildReport report;
  std::vector<catalog::ItemKey> keys;  ///< in random order
};
const Sample& TheSample() {
  static const Sample sample;
  // The allocator sorts the millions of pieces that the making freed now, not within the first measured call.
  static const int trimmed = malloc_trim(0);
  (void)trimmed;
  return sample;
}

void BM_Open(benchmark::State& state) {
  const Sample& sample = TheSample();
  for (auto _ : state) benchmark::DoNotOptimize(Snapshot::Open(sample.path, "000001").value());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(sample.report.bytes));
  state.counters["file_bytes_an_item"] = static_cast<double>(sample.report.bytes) / kItems;
  state.counters["retrieval_bytes_an_item"] = static_cast<double>(sample.report.retrieval_bytes) / kItems;
}
BENCHMARK(BM_Open)->Unit(benchmark::kMillisecond);

void BM_Find(benchmark::State& state) {
  const Sample& sample = TheSample();
  const auto snapshot = Snapshot::Open(sample.path, "000001").value();
  size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(snapshot->Find(sample.keys[at]));
    at = at + 1 == sample.keys.size() ? 0 : at + 1;
  }
}
BENCHMARK(BM_Find);

void BM_EligibleOrdinals(benchmark::State& state) {
  constexpr const char* kFilters[] = {"true", "price < 20 and color == \"color-3\"", "tags contains \"tag-7\""};
  const auto config = SampleConfig();
  LiveIndex live(config);
  BOWERBIRD_CHECK(live.SwapSnapshot(Snapshot::Open(TheSample().path, "000001").value()).ok());
  const auto view = live.View();
  const char* text = kFilters[state.range(0)];
  const auto filter = expression::Program::Compile(text, config->ItemSchema()).value();
  state.SetLabel(text);
  for (auto _ : state) benchmark::DoNotOptimize(view->EligibleOrdinals(filter.get(), kSampleTimeUs));
  state.SetItemsProcessed(state.iterations() * kItems);
}
BENCHMARK(BM_EligibleOrdinals)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bowerbird::index
