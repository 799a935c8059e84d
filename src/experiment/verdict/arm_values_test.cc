#include "experiment/verdict/arm_values.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"

namespace bowerbird::experiment::verdict {
namespace {

using config::Metric;
using metrics::Cell;
using metrics::JointMoments;
using metrics::Statistics;

void Add(const std::array<double, 4>& values, JointMoments* moments) {
  JointMoments one;
  one.count = 1;
  one.mean = values;
  moments->Merge(one);
}

/// Clicks and views of users of before and after, of which both have to do with how busy the user is.
JointMoments MakeUsers(size_t count, double lift, uint64_t seed) {
  base::Rng rng(seed);
  JointMoments moments;
  for (size_t i = 0; i < count; ++i) {
    const double busy = 1 + 5 * rng.Uniform(), taste = 0.1 + 0.4 * rng.Uniform();
    const double views = std::floor(busy * 4 * (0.5 + rng.Uniform())),
                 before = std::floor(busy * 4 * (0.5 + rng.Uniform()));
    Add({views * taste * (1 + lift), before * taste * (0.9 + 0.2 * rng.Uniform()), views, before}, &moments);
  }
  return moments;
}

Cell CellOf(const JointMoments& moments) {
  Cell cell;
  cell.units = moments.count;
  cell.metrics.resize(1);
  cell.metrics[0].moments = moments;
  return cell;
}

TEST(ArmValuesTest, MergedMomentsAreThoseOfAllUnits) {
  const JointMoments all = MakeUsers(400, 0, 7);
  // The same units in two halves.
  base::Rng rng(7);
  JointMoments halves[2];
  for (size_t i = 0; i < 400; ++i) {
    const double busy = 1 + 5 * rng.Uniform(), taste = 0.1 + 0.4 * rng.Uniform();
    const double views = std::floor(busy * 4 * (0.5 + rng.Uniform())),
                 before = std::floor(busy * 4 * (0.5 + rng.Uniform()));
    Add({views * taste, before * taste * (0.9 + 0.2 * rng.Uniform()), views, before}, &halves[i % 2]);
  }
  halves[0].Merge(halves[1]);
  for (size_t i = 0; i < 10; ++i)
    EXPECT_NEAR(halves[0].comoments[i], all.comoments[i], 1e-9 * std::abs(all.comoments[i]));
  halves[0].MergeZeros(100);
  EXPECT_EQ(halves[0].count, 500u);
  EXPECT_NEAR(halves[0].mean[2], all.mean[2] * 0.8, 1e-12);
}

TEST(ArmValuesTest, ARatioIsWhatTheDeltaMethodSays) {
  const JointMoments users = MakeUsers(5000, 0, 1);
  const auto pair = WithCovariate(users, Metric::Kind::kRatio);
  stats::BivariateMoments plain;
  plain.count = users.count;
  plain.mean_y = users.mean[0];
  plain.mean_x = users.mean[2];
  plain.m2_y = users.comoment(0, 0);
  plain.m2_x = users.comoment(2, 2);
  plain.comoment = users.comoment(0, 2);
  const auto ratio = stats::RatioOf("ratio", plain);
  const auto mean = stats::MeanOf("mean", pair.y());
  ASSERT_TRUE(ratio.ok() && mean.ok());
  EXPECT_NEAR(mean->value, ratio->value, 1e-12);
  EXPECT_NEAR(mean->variance, ratio->variance, 1e-9 * ratio->variance);
}

TEST(ArmValuesTest, CupedOnARatioKeepsTheEffectAndTakesVarianceAway) {
  Metric metric;
  metric.kind = Metric::Kind::kRatio;
  double plain_error = 0, adjusted_error = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const std::vector<Cell> arms = {CellOf(MakeUsers(500, 0, 2 * seed)), CellOf(MakeUsers(500, 0.1, 2 * seed + 1))};
    const auto plain = ValuesOf(arms, metric, 0, false), adjusted = ValuesOf(arms, metric, 0, true);
    ASSERT_TRUE(plain.ok() && adjusted.ok());
    EXPECT_GT(adjusted->variance_reduction, 0.5);
    const auto effect = [](const ArmValues& values) { return values.arms[1].value - values.arms[0].value; };
    plain_error += std::pow(effect(*plain) - 0.03, 2);
    adjusted_error += std::pow(effect(*adjusted) - 0.03, 2);
  }
  EXPECT_LT(adjusted_error, 0.6 * plain_error);
}

TEST(ArmValuesTest, PhasesAreWeighedByTheirUnitsAndSmallOnesJoined) {
  Metric metric;
  metric.covariate_days = 0;
  Statistics statistics;
  statistics.arms = 2;
  const auto put = [&](size_t arm, uint32_t phase, uint64_t count, double mean) {
    metrics::ArmCell cell;
    cell.units = count;
    cell.metrics.resize(1);
    cell.metrics[0].moments.count = count;
    cell.metrics[0].moments.mean[0] = mean;
    cell.metrics[0].moments.comoment(0, 0) = static_cast<double>(count);
    statistics.by_arm_and_phase[{arm, phase}] = cell;
  };
  // In the first phase the arm has a tenth, and everybody does more; there is no effect in any phase.
  put(0, 0, 9000, 2);
  put(1, 0, 1000, 2);
  put(0, 1, 1000, 1);
  put(1, 1, 1000, 1);
  put(0, 2, 20, 1);  // too few to stand alone
  put(1, 2, 30, 1);
  const auto values = ValuesOf(statistics, metric, 0);
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_NEAR(values->arms[0].value, values->arms[1].value, 1e-12) << "Simpson's paradox";
  EXPECT_NEAR(values->arms[0].value, (10000 * 2 + 2050 * 1) / 12050.0, 1e-12);
  EXPECT_EQ(values->units[0], 10020u);
}

TEST(ArmValuesTest, WhatIsNotThereIsSaid) {
  Metric metric;
  Statistics statistics;
  statistics.arms = 2;
  EXPECT_EQ(ValuesOf(statistics, metric, 0).status().code(), absl::StatusCode::kFailedPrecondition);
  statistics.by_arm_and_phase[{0, 0}].metrics.resize(1);
  EXPECT_EQ(ValuesOf(statistics, metric, 0).status().code(), absl::StatusCode::kFailedPrecondition);
  metric.kind = Metric::Kind::kQuantile;
  EXPECT_EQ(ValuesOf(statistics, metric, 0).status().code(), absl::StatusCode::kFailedPrecondition);
  metric.kind = Metric::Kind::kRatio;
  JointMoments none;
  none.count = 200;
  EXPECT_EQ(ValuesOf({CellOf(none), CellOf(none)}, metric, 0, true).status().message(),
            "the denominator is 0 in an arm");
}

}  // namespace
}  // namespace bowerbird::experiment::verdict
