#include "experiment/verdict/power.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bowerbird::experiment::verdict {
namespace {

/// Of so many users, of whom each has the mean and the deviation; what was before explains half of the variance.
metrics::Statistics History(uint64_t users, double mean, double deviation) {
  metrics::Statistics history;
  history.arms = 2;
  metrics::ArmCell& cell = history.by_arm_and_phase[{0, 0}];
  cell.units = users;
  cell.metrics.resize(1);
  metrics::JointMoments& moments = cell.metrics[0].moments;
  const double squares = deviation * deviation * static_cast<double>(users - 1);
  moments.count = users;
  moments.mean[0] = mean;
  moments.mean[1] = mean;
  moments.comoment(0, 0) = squares;
  moments.comoment(1, 1) = squares;
  moments.comoment(0, 1) = squares * std::sqrt(0.5);
  return history;
}

TEST(PowerTest, IsWhatTheTextbookSays) {
  const config::Metric metric;
  const auto power = PowerOf(metric, History(10'000, 2, 4), 14, 0.1);
  ASSERT_TRUE(power.ok()) << power.status();
  EXPECT_EQ(power->units(), 10'000u);
  EXPECT_NEAR(power->variance_reduction(), 0.5, 1e-9);
  EXPECT_NEAR(power->standard_deviation(), 4, 1e-2);
  // 16 s^2 / d^2 an arm is the rule of thumb: 2 * 15.7 * 16 / 0.04.
  EXPECT_NEAR(static_cast<double>(power->units_needed_without_cuped()), 2 * 15.7 * 16 / 0.04, 50);
  EXPECT_NEAR(static_cast<double>(power->units_needed()), 15.7 * 16 / 0.04, 50);
  EXPECT_EQ(power->days_needed(), 9u);
  // The effect that all of them find is the one that takes as many.
  EXPECT_NEAR(power->detectable(), 0.1 * std::sqrt(static_cast<double>(power->units_needed()) / 10'000), 1e-3);
}

TEST(PowerTest, RefusesWhatHasNoAnswer) {
  config::Metric metric;
  metric.name = "clicks";
  using absl::StatusCode;
  EXPECT_EQ(PowerOf(metric, History(10'000, 2, 4), 14, 0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(PowerOf(metric, History(10'000, 2, 4), 14, NAN).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(PowerOf(metric, History(99, 2, 4), 14, 0.1).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(PowerOf(metric, History(10'000, 0, 0), 14, 0.1).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(PowerOf(metric, metrics::Statistics(), 14, 0.1).status().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace bowerbird::experiment::verdict
