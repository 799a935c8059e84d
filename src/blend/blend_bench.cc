// A page of 25 out of 1,000 candidates with two categories each: the best ones, and drawn.
#include <cmath>

#include "benchmark/benchmark.h"
#include "blend/blend.h"

namespace bowerbird::blend {
namespace {

void BM_Blend(benchmark::State& state) {
  std::vector<uint64_t> categories;
  std::vector<Candidate> candidates;
  base::Rng random(1);
  for (uint32_t i = 0; i < 1000; ++i) {
    categories.push_back(random.Below(30));
    categories.push_back(100 + random.Below(150));
  }
  for (uint32_t i = 0; i < 1000; ++i) {
    candidates.push_back({.9 * std::pow(.995, i), std::span(categories).subspan(size_t{2} * i, 2)});
  }
  const Policy policy{.n = 25, .diversity = .3, .category_cap = 6, .temperature = .1};
  uint64_t seed = 0;
  for (auto _ : state) {
    base::Rng rng(++seed);
    benchmark::DoNotOptimize(Blend(candidates, {}, policy, state.range(0) != 0 ? &rng : nullptr));
  }
}
BENCHMARK(BM_Blend)->ArgName("drawn")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace bowerbird::blend
