#include <array>
#include <cmath>
#include <vector>

#include "experiment/stats/heterogeneity.h"
#include "experiment/stats/interaction.h"
#include "experiment/stats/novelty.h"
#include "experiment/stats/posterior.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

TEST(InteractionTest, IsTheDifferenceOfDifferences) {
  // The treatments add 1 and 2 by themselves, and 3 together: none. And 5 together: 2.
  const auto none = CheckInteraction({{10, 0.1}, {12, 0.1}, {11, 0.1}, {13, 0.1}}, 0.05);
  const auto some = CheckInteraction({{10, 0.1}, {12, 0.1}, {11, 0.1}, {15, 0.1}}, 0.05);
  ASSERT_TRUE(none.ok() && some.ok());
  EXPECT_DOUBLE_EQ(none->effect.value, 0);
  EXPECT_DOUBLE_EQ(none->p_value, 1);
  EXPECT_DOUBLE_EQ(some->effect.value, 2);
  EXPECT_NEAR(some->effect.variance, 0.4, 1e-15);
  EXPECT_NEAR(some->p_value, std::erfc(2 / std::sqrt(0.4) / std::sqrt(2)), 1e-12);
}

TEST(HeterogeneityTest, EqualEffectsHaveNone) {
  const auto found = CompareSegments(std::array{Estimate{2, 1}, Estimate{2, 4}, Estimate{2, 0.25}});
  ASSERT_TRUE(found.ok());
  EXPECT_DOUBLE_EQ(found->common.value, 2);
  EXPECT_DOUBLE_EQ(found->common.variance, 1 / 5.25);
  EXPECT_EQ(found->p_value, 1);
  EXPECT_EQ(found->i_squared, 0);
}

TEST(HeterogeneityTest, EqualsHandComputedValues) {
  const auto found = CompareSegments(std::array{Estimate{0, 1}, Estimate{4, 1}});
  ASSERT_TRUE(found.ok());
  EXPECT_DOUBLE_EQ(found->q, 8);
  EXPECT_NEAR(found->p_value, std::erfc(std::sqrt(8.0) / std::sqrt(2)), 1e-12);
  EXPECT_DOUBLE_EQ(found->i_squared, 7.0 / 8);
}

TEST(NoveltyTest, FindsTheSlope) {
  std::vector<DayEffect> days;
  days.reserve(14);
  for (int day = 0; day < 14; ++day) days.push_back({double(day), {5 - 0.25 * day, 0.01 * (1 + day % 3)}});
  const auto slope = TrendOf(days, 0.05);
  ASSERT_TRUE(slope.ok());
  EXPECT_NEAR(slope->effect.value, -0.25, 1e-12);
  EXPECT_LT(slope->p_value, 1e-6);
  for (DayEffect& day : days) day.effect.value = 5;
  EXPECT_NEAR(TrendOf(days, 0.05)->effect.value, 0, 1e-12);
}

TEST(NoveltyTest, OneDayHasNoSlope) {
  EXPECT_EQ(TrendOf({}, 0.05).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(TrendOf(std::array{DayEffect{1, {1, 1}}, DayEffect{1, {2, 1}}}, 0.05).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(PosteriorTest, AFlatPriorIsTheFixedHorizonView) {
  const Estimate effect{1.5, 0.49};
  const auto posterior = PosteriorOf(effect, {}, 0.05);
  const auto fixed = TestAgainstZero(effect, 0.05);
  ASSERT_TRUE(posterior.ok() && fixed.ok());
  EXPECT_NEAR(posterior->interval.low, fixed->interval.low, 1e-12);
  EXPECT_NEAR(posterior->probability_above_0, 1 - fixed->p_value / 2, 1e-12);
}

TEST(PosteriorTest, APriorPullsByItsWeight) {
  const auto posterior = PosteriorOf({2, 1}, {.mean = 0, .variance = 1}, 0.05);
  ASSERT_TRUE(posterior.ok());
  EXPECT_DOUBLE_EQ(posterior->mean, 1);
  EXPECT_DOUBLE_EQ(posterior->standard_deviation, std::sqrt(0.5));
  const auto sure = PosteriorOf({2, 1}, {.mean = -1, .variance = 1e-20}, 0.05);
  ASSERT_TRUE(sure.ok());
  EXPECT_NEAR(sure->mean, -1, 1e-12);
  EXPECT_NEAR(sure->standard_deviation, 1e-10, 1e-20);
}

TEST(PosteriorTest, LossesDifferByTheMean) {
  for (const double value : {-40.0, -1.0, 0.0, 0.5, 30.0}) {
    const auto posterior = PosteriorOf({value, 1}, {}, 0.05);
    ASSERT_TRUE(posterior.ok());
    EXPECT_NEAR(posterior->loss_of_control - posterior->loss_of_treatment, value, 1e-12);
    EXPECT_GE(posterior->loss_of_treatment, 0);
    EXPECT_GE(posterior->loss_of_control, 0);
  }
  EXPECT_NEAR(PosteriorOf({0, 1}, {}, 0.05)->loss_of_treatment, 0.3989422804014327, 1e-12);
}

}  // namespace
}  // namespace bowerbird::experiment::stats
