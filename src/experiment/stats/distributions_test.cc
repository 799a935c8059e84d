#include "experiment/stats/distributions.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(DistributionsTest, EqualPublishedTables) {
  EXPECT_NEAR(NormalCdf(1.96), 0.9750021048517795, 1e-14);
  EXPECT_NEAR(NormalQuantile(0.975), 1.959963984540054, 1e-13);
  EXPECT_NEAR(StudentTwoSidedCritical(0.05, 10), 2.2281388519862753, 1e-12);
  EXPECT_NEAR(StudentTwoSidedP(2.2281388519862753, 10), 0.05, 1e-13);
  EXPECT_NEAR(ChiSquaredTail(3.841458820694124, 1), 0.05, 1e-13);
  EXPECT_NEAR(BetaCdf(0.5, 2, 3), 0.6875, 1e-14);
  EXPECT_NEAR(BetaDensity(0.5, 2, 3), 1.5, 1e-13);
  EXPECT_NEAR(BetaQuantile(0.6875, 2, 3), 0.5, 1e-12);
}

TEST(DistributionsTest, InfiniteDegreesOfFreedomAreTheNormalDistribution) {
  EXPECT_NEAR(StudentTwoSidedCritical(0.05, kInfinity), 1.959963984540054, 1e-12);
  EXPECT_NEAR(StudentTwoSidedP(-1.959963984540054, kInfinity), 0.05, 1e-13);
  EXPECT_NEAR(StudentTwoSidedP(10, kInfinity) / 1.523970604832094e-23, 1, 1e-9)
      << "far out, where 1 - cdf has no digits";
}

TEST(DistributionsTest, WhatHasNoAnswerIsNoNumberAndNothingIsThrown) {
  for (const double nonsense : {kNaN, -1.0, 2.0}) {
    EXPECT_TRUE(std::isnan(NormalQuantile(nonsense))) << nonsense;
    EXPECT_TRUE(std::isnan(BetaQuantile(nonsense, 1, 1))) << nonsense;
  }
  EXPECT_TRUE(std::isnan(StudentTwoSidedP(1, 0)));
  EXPECT_TRUE(std::isnan(ChiSquaredTail(-1, 1)));
  EXPECT_EQ(StudentTwoSidedP(kInfinity, 5), 0);
}

}  // namespace
}  // namespace bowerbird::experiment::stats
