#include "experiment/stats/sequential.h"

#include <cmath>

#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

constexpr SequentialPlan kPlan{.alpha = 0.05, .observations_target = 5'000};

TEST(SequentialTest, TheIntervalLeavesZeroOutExactlyWhenPIsBelowAlpha) {
  base::Rng rng(2);
  int found_count = 0;
  for (int trial = 0; trial < 1'000; ++trial) {
    const auto found = LookAt({rng.Normal() * 3, 1}, 1 + static_cast<double>(rng.Below(20'000)), kPlan);
    ASSERT_TRUE(found.ok());
    const bool leaves_zero_out = found->interval.low > 0 || found->interval.high < 0;
    EXPECT_EQ(found->p_value < 0.05, leaves_zero_out);
    found_count += leaves_zero_out;
  }
  EXPECT_GT(found_count, 100);
  EXPECT_LT(found_count, 900);
}

TEST(SequentialTest, LooksThatAreAllValidAreWiderThanOneByLittleMoreAtTheTarget) {
  double narrowest = 1e9, at = 0;
  for (double n = 50; n < 500'000; n *= 1.1) {
    const auto look = LookAt({0, 1}, n, kPlan);
    ASSERT_TRUE(look.ok());
    EXPECT_GT(look->interval.high, 1.959963984540054) << "the price of looking, at " << n;
    EXPECT_EQ(look->p_value, 1) << "no effect is no evidence";
    if (look->interval.high < narrowest) {
      narrowest = look->interval.high;
      at = n;
    }
  }
  EXPECT_NEAR(std::log(at / kPlan.observations_target), 0, 0.2);
  EXPECT_NEAR(narrowest, 3.035, 0.005) << "in standard errors";
}

TEST(SequentialTest, AFixedEffectIsFoundAtLast) {
  double p = 1;
  for (uint64_t count = 100; count <= 100'000; count *= 10) {
    const double n = static_cast<double>(count);
    const auto look = LookAtMeans({count, 0, n - 1}, {count, 0.1, n - 1}, kPlan);
    ASSERT_TRUE(look.ok());
    EXPECT_LE(look->p_value, p);
    p = look->p_value;
  }
  EXPECT_LT(p, 1e-6);
}

TEST(SequentialTest, AnArmWithoutASuccessIsNotCertainOfIt) {
  const auto look = LookAtProportions({0, 200}, {4, 200}, kPlan);
  ASSERT_TRUE(look.ok());
  EXPECT_GT(look->p_value, 0.05);
  EXPECT_TRUE(LookAtProportions({0, 200}, {0, 200}, kPlan).ok());
  EXPECT_LT(LookAtProportions({200, 10'000}, {400, 10'000}, kPlan)->p_value, 1e-6);
}

TEST(SequentialTest, ObservationsCountByTheSmallerArm) {
  EXPECT_DOUBLE_EQ(BalancedObservations(50, 50), 100);
  EXPECT_DOUBLE_EQ(BalancedObservations(90, 10), 36);
  EXPECT_DOUBLE_EQ(BalancedObservations(100, 0), 0);
  EXPECT_EQ(BalancedObservations(0, 0), 0);
}

}  // namespace
}  // namespace bowerbird::experiment::stats
