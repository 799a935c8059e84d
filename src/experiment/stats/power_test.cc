#include "experiment/stats/power.h"

#include <cmath>

#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

TEST(PowerTest, EqualsTheTextbook) {
  // 2 (1.96 + 0.8416)^2 / 0.1^2 an arm.
  EXPECT_EQ(SizesForMeans(1, 0.1, {})->control, 1570u);
  EXPECT_EQ(SizesForMeans(1, -0.1, {})->treatment, 1570u);
  // Fleiss, Levin, Paik: 0.25 against 0.40 takes 152 an arm without a correction for continuity.
  EXPECT_EQ(SizesForProportions(0.25, 0.15, {})->control, 152u);
}

TEST(PowerTest, MoreIsNeededForSmallerEffectsMorePowerAndUnevenSplits) {
  const auto total = [](double effect, const PowerPlan& plan) {
    const auto sizes = SizesForMeans(2, effect, plan);
    return sizes->control + sizes->treatment;
  };
  const uint64_t base = total(0.1, {});
  EXPECT_GT(total(0.09, {}), base);
  EXPECT_GT(total(0.1, {.power = 0.9}), base);
  EXPECT_GT(total(0.1, {.alpha = 0.01}), base);
  EXPECT_GT(total(0.1, {.treatment_share = 0.1}), base);
  EXPECT_NEAR(static_cast<double>(total(0.1, {.variance_reduction = 0.5})), static_cast<double>(base) / 2, 2);
  EXPECT_NEAR(static_cast<double>(total(0.1, {.treatment_share = 0.1})), static_cast<double>(base) * 0.25 / 0.09, 5);
}

TEST(PowerTest, TheDetectableEffectIsTheOneThatAskedForTheSizes) {
  for (const double effect : {0.001, 0.02, 0.1}) {
    for (const double share : {0.5, 0.2}) {
      const PowerPlan plan{.treatment_share = share, .variance_reduction = 0.3};
      EXPECT_NEAR(*DetectableMean(1, *SizesForMeans(1, effect, plan), plan) / effect, 1, 0.005) << effect;
      EXPECT_NEAR(*DetectableProportion(0.1, *SizesForProportions(0.1, effect, plan), plan) / effect, 1, 0.005)
          << effect;
    }
  }
}

TEST(PowerTest, UnitsThatAreTheirOwnControlNeedAQuarterOfTwoArmsOfThatSpread) {
  // (1.96 + 0.8416)^2 / 0.1^2.
  EXPECT_EQ(*UnitsForPaired(1, 0.1, {}), 785u);
  EXPECT_EQ(*UnitsForPaired(1, -0.1, {}), 785u);
  EXPECT_EQ(UnitsForPaired(1, 0, {}).status().message(), "effect is 0; expected a number that is not");
  EXPECT_EQ(UnitsForPaired(0, 0.1, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(UnitsForPaired(1, 1e-9, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(PowerTest, ARateCannotRiseAboveOne) {
  EXPECT_EQ(DetectableProportion(0.99, {10, 10}, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(DetectableProportion(1e-12, {1'000, 1'000}, {}).ok());
}

TEST(PowerTest, DaysAreWhole) {
  EXPECT_EQ(*DurationDays({1'000, 1'000}, 150), 14u);
  EXPECT_EQ(*DurationDays({1'000, 1'000}, 1e9), 1u);
}

}  // namespace
}  // namespace bowerbird::experiment::stats
