#include "experiment/stats/cuped.h"

#include <array>
#include <cmath>

#include "base/rng.h"
#include "experiment/stats/compare.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

/// y is correlated with x by `rho`, and `effect` above it.
BivariateMoments Draw(base::Rng& rng, size_t count, double rho, double effect) {
  BivariateMoments moments;
  for (size_t i = 0; i < count; ++i) {
    const double x = rng.Normal();
    moments.Add(effect + rho * x + std::sqrt(1 - rho * rho) * rng.Normal(), 5 + x);
  }
  return moments;
}

TEST(CupedTest, ACovariateThatSaysNothingChangesNothing) {
  const BivariateMoments control{100, 1, 7, 99, 50, 0}, treatment{120, 2, 3, 130, 80, 0};
  const auto adjusted = AdjustByCovariate(std::array{control, treatment});
  ASSERT_TRUE(adjusted.ok());
  EXPECT_EQ(adjusted->theta, 0);
  EXPECT_EQ(adjusted->variance_reduction, 0);
  const auto with = TestAgainstZero(*DifferenceOf(adjusted->arms[0], adjusted->arms[1]), 0.05);
  const auto plain = CompareMeans(control.y(), treatment.y(), 0.05);
  ASSERT_TRUE(with.ok() && plain.ok());
  EXPECT_EQ(with->interval, plain->interval);
  EXPECT_EQ(with->p_value, plain->p_value);
}

TEST(CupedTest, ACovariateThatDoesNotVaryChangesNothing) {
  const auto adjusted =
      AdjustByCovariate(std::array{BivariateMoments{10, 1, 4, 9, 0, 0}, BivariateMoments{10, 2, 4, 9, 0, 0}});
  ASSERT_TRUE(adjusted.ok());
  EXPECT_EQ(adjusted->theta, 0);
  EXPECT_EQ(adjusted->arms[0].value, 1);
  EXPECT_EQ(adjusted->arms[1].value, 2);
}

TEST(CupedTest, SavesTheSquareOfTheCorrelation) {
  base::Rng rng(11);
  for (const double rho : {0.3, 0.6, 0.9}) {
    const auto adjusted =
        AdjustByCovariate(std::array{Draw(rng, 20'000, rho, 0), Draw(rng, 20'000, rho, 0), Draw(rng, 20'000, rho, 0)});
    ASSERT_TRUE(adjusted.ok());
    EXPECT_NEAR(adjusted->theta, rho, 0.02);
    EXPECT_NEAR(adjusted->variance_reduction, rho * rho, 0.02);
  }
}

TEST(CupedTest, ALargeEffectDoesNotBendTheSlope) {
  base::Rng rng(5);
  const auto adjusted = AdjustByCovariate(std::array{Draw(rng, 2'000, 0.8, 0), Draw(rng, 2'000, 0.8, 50)});
  ASSERT_TRUE(adjusted.ok());
  EXPECT_NEAR(adjusted->theta, 0.8, 0.03);
  EXPECT_NEAR(adjusted->arms[1].value - adjusted->arms[0].value, 50, 0.08);
}

TEST(CupedTest, WhatTheCovariateExplainsWhollyLeavesNoVariance) {
  BivariateMoments arm;
  for (const double x : {0.1, 0.7, 0.9, 2.3}) arm.Add(3 * x, x);
  const auto adjusted = AdjustByCovariate(std::array{arm, arm});
  ASSERT_TRUE(adjusted.ok());
  EXPECT_NEAR(adjusted->variance_reduction, 1, 1e-12);
  EXPECT_NEAR(adjusted->arms[0].variance, 0, 1e-12);
}

}  // namespace
}  // namespace bowerbird::experiment::stats
