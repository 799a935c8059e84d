#include "experiment/stats/compare.h"

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

Moments DrawNormal(base::Rng& rng, size_t count, double mean) {
  Moments moments;
  for (size_t i = 0; i < count; ++i) moments.Add(mean + rng.Normal());
  return moments;
}

TEST(CompareMeansTest, EqualsWelchsTestOfSciPy) {
  const std::vector<double> control = {27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1,
                                       21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4};
  const std::vector<double> treatment = {27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0,
                                         24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 24.4};
  const auto found = CompareMeans(Moments::Of(control), Moments::Of(treatment), 0.05);
  ASSERT_TRUE(found.ok());
  EXPECT_NEAR(found->effect.value / found->effect.standard_error(), 2.8529548701715, 1e-12);
  EXPECT_NEAR(found->effect.degrees_of_freedom, 27.887303988420, 1e-10);
  EXPECT_NEAR(found->p_value, 0.0080719381721949, 1e-14);
}

TEST(CompareMeansTest, IntervalsAreSymmetricAndLeaveZeroOutExactlyWhenPIsBelowAlpha) {
  base::Rng rng(7);
  for (int trial = 0; trial < 300; ++trial) {
    const Moments control = DrawNormal(rng, 2 + rng.Below(50), 0), treatment = DrawNormal(rng, 2 + rng.Below(50), 0.5);
    const auto there = CompareMeans(control, treatment, 0.1), back = CompareMeans(treatment, control, 0.1);
    ASSERT_TRUE(there.ok() && back.ok());
    EXPECT_NEAR(there->interval.high - there->effect.value, there->effect.value - there->interval.low, 1e-12);
    EXPECT_DOUBLE_EQ(there->interval.low, -back->interval.high);
    EXPECT_DOUBLE_EQ(there->p_value, back->p_value);
    EXPECT_EQ(there->p_value<0.1, there->interval.low> 0 || there->interval.high < 0);
  }
}

TEST(CompareMeansTest, MoreUnitsAndLessCautionNarrowTheInterval) {
  double width = 1e9, p = 1;
  for (uint64_t count = 2; count < 1'000'000; count *= 3) {
    const double n = static_cast<double>(count);
    const auto found = CompareMeans({count, 1, n - 1}, {count, 1.01, n - 1}, 0.05);
    ASSERT_TRUE(found.ok());
    EXPECT_LT(found->interval.high - found->interval.low, width);
    EXPECT_LT(found->p_value, p);
    width = found->interval.high - found->interval.low;
    p = found->p_value;
    const auto loose = CompareMeans({count, 1, n - 1}, {count, 1.01, n - 1}, 0.1);
    EXPECT_LT(loose->interval.high - loose->interval.low, width);
  }
}

TEST(CompareProportionsTest, TestsByThePooledRateAndGivesTheIntervalOfBoth) {
  const auto found = CompareProportions({100, 1000}, {130, 1000}, 0.05);
  ASSERT_TRUE(found.ok());
  EXPECT_DOUBLE_EQ(found->effect.value, 0.13 - 0.1);
  const double pooled = std::sqrt(0.115 * 0.885 * 2 / 1000), apart = std::sqrt(0.1 * 0.9 / 1000 + 0.13 * 0.87 / 1000);
  EXPECT_NEAR(found->p_value, std::erfc(0.03 / pooled / std::sqrt(2)), 1e-12);
  EXPECT_NEAR(found->interval.low, 0.03 - 1.959963984540054 * apart, 1e-12);
}

TEST(CompareProportionsTest, AnArmWithoutASuccessIsAnAnswerAndTwoAreNone) {
  EXPECT_TRUE(CompareProportions({0, 50}, {50, 50}, 0.05).ok());
  EXPECT_EQ(CompareProportions({0, 50}, {0, 50}, 0.05).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CompareProportions({50, 50}, {50, 50}, 0.05).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ExactIntervalTest, IsCloppersAndPearsonsAlsoAtTheEnds) {
  // scipy.stats.binomtest(10, 100).proportion_ci(): [0.0490, 0.1762].
  EXPECT_NEAR(ExactInterval({10, 100}, 0.05)->low, 0.0490, 5e-5);
  EXPECT_NEAR(ExactInterval({10, 100}, 0.05)->high, 0.1762, 5e-5);
  EXPECT_EQ(ExactInterval({0, 10}, 0.05)->low, 0);
  EXPECT_NEAR(ExactInterval({0, 10}, 0.05)->high, 0.3085, 5e-5);
  EXPECT_EQ(ExactInterval({10, 10}, 0.05)->high, 1);
  EXPECT_EQ(ExactInterval({0, 0}, 0.05).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(CompareRatiosTest, ADenominatorOfOneIsAMean) {
  base::Rng rng(3);
  BivariateMoments control, treatment;
  for (int i = 0; i < 40; ++i) {
    control.Add(rng.Normal(), 1);
    treatment.Add(rng.Normal() + 0.3, 1);
  }
  const auto ratio = CompareRatios(control, treatment, 0.05), mean = CompareMeans(control.y(), treatment.y(), 0.05);
  ASSERT_TRUE(ratio.ok() && mean.ok());
  EXPECT_NEAR(ratio->p_value, mean->p_value, 1e-12);
  EXPECT_NEAR(ratio->interval.low, mean->interval.low, 1e-12);
}

TEST(CompareRatiosTest, ANumeratorInProportionToItsDenominatorHasNoVariance) {
  BivariateMoments arm;
  for (const double views : {1.0, 3.0, 7.0, 2.0}) arm.Add(0.3 * views, views);
  const auto ratio = RatioOf("control", arm);
  ASSERT_TRUE(ratio.ok());
  EXPECT_NEAR(ratio->value, 0.3, 1e-15);
  EXPECT_NEAR(ratio->variance, 0, 1e-16);
}

TEST(LiftTest, FarFromZeroBothIntervalsAgreeAndNearZeroFiellerSaysThatThereIsNone) {
  const Estimate control{10, 0.0004}, treatment{11, 0.0004};
  const auto delta = CompareLift(control, treatment, 0.05);
  const auto fieller = FiellerLift(control, treatment, 0.05);
  ASSERT_TRUE(delta.ok() && fieller.ok());
  EXPECT_NEAR(delta->effect.value, 0.1, 1e-12);
  EXPECT_NEAR(delta->interval.low, fieller->low, 1e-4);
  EXPECT_NEAR(delta->interval.high, fieller->high, 1e-4);
  EXPECT_EQ(FiellerLift({1, 1}, treatment, 0.05).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(FiellerLift({0, 1}, treatment, 0.05).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(LiftTest, IsTheSameInEveryUnit) {
  const auto dollars = CompareLift({5, 0.01}, {6, 0.02}, 0.05), cents = CompareLift({500, 100}, {600, 200}, 0.05);
  ASSERT_TRUE(dollars.ok() && cents.ok());
  EXPECT_NEAR(dollars->interval.low, cents->interval.low, 1e-12);
  EXPECT_NEAR(dollars->p_value, cents->p_value, 1e-12);
}

TEST(CombineTest, WeighsValuesAndTheirVariances) {
  const std::vector<Estimate> estimates = {{3, 1, 10}, {5, 4, 20}};
  const auto sum = Combine(estimates, std::vector<double>{2, -1});
  ASSERT_TRUE(sum.ok());
  EXPECT_DOUBLE_EQ(sum->value, 1);
  EXPECT_DOUBLE_EQ(sum->variance, 8);
  EXPECT_DOUBLE_EQ(sum->degrees_of_freedom, 1 / (0.25 / 10 + 0.25 / 20));
}

}  // namespace
}  // namespace bowerbird::experiment::stats
