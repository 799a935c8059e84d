#include <vector>

#include "base/rng.h"
#include "benchmark/benchmark.h"
#include "model/fold_in.h"

namespace bowerbird::model {
namespace {

// One request's fold-in: range(0) factors, range(1) items.
void BM_FoldIn(benchmark::State& state) {
  const uint32_t dim = static_cast<uint32_t>(state.range(0)), count = static_cast<uint32_t>(state.range(1)),
                 rows = 40000;
  base::Rng rng(1);
  std::vector<float> factors(rows * dim);
  for (float& v : factors) v = static_cast<float>(0.2 * rng.Normal());
  const FoldIn fold_in = *FoldIn::Create({}, rows, dim, Gramian(factors, dim));
  std::vector<uint32_t> items(count);
  for (uint32_t& item : items) item = static_cast<uint32_t>(rng.Below(rows));
  const std::vector<float> weights(count, 1.0f);
  std::vector<float> x(dim);
  FoldIn::Scratch scratch;
  for (auto _ : state) {
    fold_in.Solve(factors, items, weights, scratch, x);
    benchmark::DoNotOptimize(x.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FoldIn)
    ->Args({64, 1})
    ->Args({64, 100})
    ->Args({64, 512})
    ->Args({128, 100})
    ->Args({128, 512})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace bowerbird::model
