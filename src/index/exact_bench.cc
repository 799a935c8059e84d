// Exact top-500 over 64-dimensional bfloat16 rows, one query at a time on one core; bytes/s is to be held against the
// machine's memory bandwidth.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/rng.h"
#include "base/vector_math.h"
#include "index/exact.h"

namespace bowerbird::index {
namespace {

constexpr uint32_t kDim = 64;

struct Matrix {
  explicit Matrix(uint32_t count) : values(static_cast<size_t>(count) * kDim), inverse_norms(count, 0.1f) {
    base::Rng rng(1);
    for (uint16_t& value : values) value = base::ToBf16(static_cast<float>(rng.Uniform() - 0.5));
    rows = {values.data(), count, kDim};
  }
  std::vector<uint16_t> values;
  std::vector<float> inverse_norms;
  FactorRows rows;
};

/// range(0): rows; range(1): per mille of them eligible.
template <typename Search>
void Run(benchmark::State& state, const Search& search) {
  const auto count = static_cast<uint32_t>(state.range(0));
  const Matrix matrix(count);
  base::Rng rng(2);
  std::vector<uint64_t> eligible((count + 63) / 64, 0);
  for (uint32_t r = 0; r < count; ++r) {
    eligible[r / 64] |= static_cast<uint64_t>(rng.Bernoulli(state.range(1) / 1000.0)) << (r % 64);
  }
  std::vector<float> query(kDim);
  for (auto _ : state) {
    for (float& value : query) value = static_cast<float>(rng.Normal());
    benchmark::DoNotOptimize(search(matrix, query, eligible));
  }
  state.SetItemsProcessed(state.iterations() * count * state.range(1) / 1000);
  state.SetBytesProcessed(state.iterations() * count * state.range(1) / 1000 * kDim * 2);
}

void BM_InnerProducts(benchmark::State& state) {
  Run(state, [](const Matrix& matrix, const std::vector<float>& query, const std::vector<uint64_t>& eligible) {
    return TopInnerProducts(matrix.rows, query, eligible, 500);
  });
}
BENCHMARK(BM_InnerProducts)
    ->Args({41'000, 1000})
    ->Args({41'000, 50})
    ->Args({1'000'000, 1000})
    ->Args({1'000'000, 10})
    ->Unit(benchmark::kMillisecond);

void BM_Cosines(benchmark::State& state) {
  Run(state, [](const Matrix& matrix, const std::vector<float>& query, const std::vector<uint64_t>& eligible) {
    return TopCosines(matrix.rows, matrix.inverse_norms, query, eligible, 500);
  });
}
BENCHMARK(BM_Cosines)->Args({41'000, 1000})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bowerbird::index
