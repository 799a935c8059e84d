#include "simulation/simulation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>

namespace bowerbird::simulation {
namespace {

uint64_t Environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(SimulationTest, AcknowledgedIsInEffectOnceWhateverHappens) {
  // SIMULATION_SEED=N runs that seed alone and prints its steps.
  const uint64_t one = Environment("SIMULATION_SEED", 0);
  const uint64_t count = one != 0 ? 1 : Environment("SIMULATION_SEEDS", 150);
  uint64_t first = one != 0 ? one : 1;
  if (count > 1000) first = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) / 1000;
  Result sum;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const Result result = RunSeed(seed, {.trace = one != 0});
    ASSERT_TRUE(result.errors.empty()) << "seed " << seed << ": " << result.errors.front()
                                       << "\nSIMULATION_SEED=" << seed << " runs it again and prints its steps";
    sum.events += result.events;
    sum.acknowledged += result.acknowledged;
    sum.refused += result.refused;
    sum.duplicates += result.duplicates;
    sum.answers += result.answers;
    sum.crashes += result.crashes;
  }
  fmt::print(
      "seeds {} to {}: {} events, {} acknowledged requests, {} refused, {} duplicates dropped after the last crashes, "
      "{} answers, {} crashes\n",
      first, first + count - 1, sum.events, sum.acknowledged, sum.refused, sum.duplicates, sum.answers, sum.crashes);
  if (one != 0) return;
  EXPECT_GT(sum.crashes, count);
  EXPECT_GT(sum.refused, 0u);
  EXPECT_GT(sum.duplicates, 0u);
}

TEST(SimulationTest, ASeedRunsTheSameBitForBit) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const Result first = RunSeed(seed, {}), second = RunSeed(seed, {});
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.events, second.events);
  }
  EXPECT_NE(RunSeed(1, {}).trace_hash, RunSeed(2, {}).trace_hash);
}

TEST(SimulationTest, NoticesADiskThatWritesOffsetsBeforeState) {
  uint64_t noticed = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) noticed += RunSeed(seed, {.offsets_first = true}).errors.empty() ? 0 : 1;
  EXPECT_GE(noticed, 8u) << "of 10 seeds";
}

}  // namespace
}  // namespace bowerbird::simulation
