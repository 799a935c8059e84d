#include "sim/behaviour_report.h"

#include <cstdio>
#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::sim {
namespace {

TEST(BehaviourMeterTest, MeasuresSessionsGapsAndInequality) {
  BehaviourMeter meter;
  constexpr int64_t kHourUs = 3'600'000'000;
  // One user, two sessions two hours apart: three clicks and one; item 7 has three of four clicks.
  meter.Click(1, 10, 7, 0);
  meter.Click(1, 10, 7, 10'000'000);
  meter.Click(1, 10, 8, 40'000'000);
  meter.Click(1, 11, 7, 40'000'000 + 2 * kHourUs);
  const Behaviour behaviour = meter.Measure();
  EXPECT_EQ(behaviour.users, 1);
  EXPECT_EQ(behaviour.sessions, 2);
  EXPECT_DOUBLE_EQ(behaviour.session_clicks_mean, 2);
  EXPECT_DOUBLE_EQ(behaviour.session_gap_h_p50, 2);
  EXPECT_DOUBLE_EQ(behaviour.click_gap_s_mean, 20);
  EXPECT_DOUBLE_EQ(behaviour.popularity_gini, .25);
  EXPECT_DOUBLE_EQ(behaviour.clicks_top_50, .75);
  EXPECT_TRUE(behaviour.click_rate_by_rank.empty());
}

TEST(BehaviourMeterTest, NothingMeasuredIsAllZero) {
  const Behaviour behaviour = BehaviourMeter().Measure();
  EXPECT_EQ(behaviour.sessions, 0);
  EXPECT_EQ(behaviour.popularity_gini, 0);
}

TEST(MeasureGloboTest, NamesTheFileThatIsMissing) {
  const auto result = MeasureGlobo("/nonexistent");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(result.status().message()), testing::HasSubstr("/nonexistent/clicks.csv.zst"));
}

/// The defaults of the world are calibrated to a real click log; this holds them to its order of magnitude.
TEST(BehaviourReportTest, WorldIsOfTheOrderOfARealClickLog) {
  const std::string folder = BOWERBIRD_SOURCE_DIR "/../shared/data/globo";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no Globo click log at " << folder;
  const auto real = MeasureGlobo(folder);
  ASSERT_TRUE(real.ok()) << real.status();
  EXPECT_EQ(real->clicks, 2'988'181);
  world::World world = *world::World::Create({});
  const Behaviour simulated = MeasureWorld(world);
  std::printf("%s", BehaviourTable(simulated, &*real).c_str());
  const auto within_factor = [](double a, double b, double factor) { return a < b * factor && b < a * factor; };
  EXPECT_TRUE(within_factor(simulated.session_clicks_mean, real->session_clicks_mean, 1.5));
  EXPECT_TRUE(within_factor(simulated.session_gap_h_p50, real->session_gap_h_p50, 2));
  EXPECT_TRUE(within_factor(simulated.click_gap_s_p50, real->click_gap_s_p50, 3));
  EXPECT_TRUE(within_factor(simulated.popularity_gini, real->popularity_gini, 2));
  EXPECT_TRUE(within_factor(simulated.clicks_top_10, real->clicks_top_10, 2.5));
}

}  // namespace
}  // namespace bowerbird::sim
