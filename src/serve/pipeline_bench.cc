// A home page of 25 out of 41,000 items (64 dimensions, five generators, a user with 200 actions and 1,000 seen items),
// and a related page; CPU time of one answer with its served record, on one thread.
#include "benchmark/benchmark.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

struct Shop {
  RequestForTest request{{.items = 41'000,
                          .topics = 40,
                          .dim = 64,
                          .config =
                              "[surfaces.home]\ngenerators = ['for_you', 'because', 'trending', 'fresh', 'popular']\n"
                              "diversity = 0.3\n[generators.fresh]\nwindow = '3650d'\n"}};
  v1::RecommendRequest home = RequestForTest::Request("surface: 'home' n: 25");
  v1::RecommendRequest filtered =
      RequestForTest::Request("surface: 'home' n: 25 filter: 'price < 3 and categories contains \"topic-1\"'");
  v1::RecommendRequest related = RequestForTest::Request("surface: 'related' item: 'item-00077' n: 25");

  Shop() {
    base::Rng rng(5);
    std::vector<std::pair<std::string, uint32_t>> actions;
    for (int i = 0; i < 200; ++i) {
      const auto item = static_cast<uint32_t>(rng.Below(1000) * 40 + rng.Below(4));
      actions.emplace_back(i % 3 == 0 ? "save" : "click", item);
    }
    request.user = request.catalog.User(actions);
    for (int i = 0; i < 1000; ++i) {
      CatalogForTest::See(request.catalog.Key(static_cast<uint32_t>(rng.Below(41'000))), 1'759'990'000, &request.user);
    }
    for (uint32_t i = 0; i < 41'000; ++i) {
      request.catalog.table->counts[request.catalog.Key(i)] = {rng.Below(1000), rng.Below(100), rng.Below(9),
                                                               rng.Uniform() * 200};
    }
    for (uint32_t i = 0; i < 800; ++i) {
      for (const char* name : {"trending", "popular"}) {
        request.catalog.table->tops[name].push_back(
            {request.catalog.Key(static_cast<uint32_t>(rng.Below(41'000))), static_cast<float>(800 - i)});
      }
    }
  }
};

void Run(benchmark::State& state, const v1::RecommendRequest Shop::*which) {
  static const Shop* shop = new Shop();
  Inputs inputs = shop->request.Inputs();
  StageTimes sum;
  for (auto _ : state) {
    ++inputs.seed;
    const auto answer = Recommend(inputs, shop->*which);
    if (!answer.ok() || answer->items.size() != 25) return state.SkipWithError("no page");
    sum.check_us += answer->times.check_us;
    sum.retrieve_us += answer->times.retrieve_us;
    sum.rank_us += answer->times.rank_us;
    sum.blend_us += answer->times.blend_us;
    sum.answer_us += answer->times.answer_us;
  }
  const auto mean = [&](int64_t us) {
    return benchmark::Counter(static_cast<double>(us), benchmark::Counter::kAvgIterations);
  };
  state.counters["check_us"] = mean(sum.check_us);
  state.counters["retrieve_us"] = mean(sum.retrieve_us);
  state.counters["rank_us"] = mean(sum.rank_us);
  state.counters["blend_us"] = mean(sum.blend_us);
  state.counters["answer_us"] = mean(sum.answer_us);
}

void BM_Home(benchmark::State& state) { Run(state, &Shop::home); }
void BM_HomeFiltered(benchmark::State& state) { Run(state, &Shop::filtered); }
void BM_Related(benchmark::State& state) { Run(state, &Shop::related); }
BENCHMARK(BM_Home)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_HomeFiltered)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_Related)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace bowerbird::serve
