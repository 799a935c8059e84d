#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "experiment/assignment/assigner.h"
#include "experiment/assignment/experiment_for_test.h"
#include "experiment/assignment/lifecycle.h"
#include "experiment/assignment/targeting.h"

namespace bowerbird::experiment::assignment {
namespace {

constexpr int kExperiments = 200, kUsers = 4096;

/// A user of whom everything is known at once.
class KnownRow final : public expression::Row {
 public:
  expression::ValueView Get(uint32_t attribute) const override {
    const auto first = static_cast<uint32_t>(Field::kFirstAttribute);
    if (attribute == first) return std::string_view("pro");
    if (attribute == first + 1) return 30.0;
    return {};
  }
};

/// 200 experiments that run in `layers` layers, full; every fourth has a targeting, of which there are eight.
void BM_Assign(benchmark::State& state) {
  const auto layers = static_cast<int>(state.range(0));
  std::vector<v1::Experiment> running;
  for (int i = 0; i < kExperiments; ++i) {
    v1::Experiment draft = Draft("e" + std::to_string(i), "layer" + std::to_string(i % layers),
                                 static_cast<double>(layers) / kExperiments);
    if (i % 4 == 0) draft.set_targeting("plan == 'pro' and age >= " + std::to_string(18 + i / 4 % 8));
    auto started = Start(std::move(draft), running, 1);
    if (!started.ok()) return state.SkipWithError(std::string(started.status().message()).c_str());
    running.push_back(*std::move(started));
  }
  const auto assigner = Assigner::Make(running, TargetingSchema(ConfigForTest()), {0.02, "app"});
  std::vector<std::string> users;
  for (int i = 0; i < kUsers; ++i) users.push_back("user-" + std::to_string(i));
  const KnownRow row;
  std::vector<Assignment> hits;
  size_t next = 0, arms = 0;
  for (auto _ : state) {
    const Unit units[] = {{"user", users[next++ % kUsers]}};
    (*assigner)->Assign(units, {}, row, 0, &hits);
    arms += hits.size();
    benchmark::DoNotOptimize(hits.data());
  }
  state.counters["arms"] = benchmark::Counter(static_cast<double>(arms), benchmark::Counter::kAvgIterations);
}
BENCHMARK(BM_Assign)->ArgName("layers")->Arg(1)->Arg(20)->Arg(50)->Arg(200);

}  // namespace
}  // namespace bowerbird::experiment::assignment
