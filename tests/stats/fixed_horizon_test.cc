// Tests that are read once: of experiments without an effect they find one in 5%, and their intervals hold the true
// effect in 95% of those that have one.
#include <array>
#include <cmath>
#include <functional>
#include <iostream>
#include <string>

#include "experiment/stats/compare.h"
#include "experiment/stats/cuped.h"
#include "experiment/stats/quantile.h"
#include "experiment/stats/strata.h"
#include "fmt/format.h"
#include "gtest/gtest.h"
#include "stats/trials.h"

namespace bowerbird::experiment::stats {
namespace {

struct Kind {
  std::string name;
  /// One experiment whose treatment has a relative effect.
  std::function<absl::StatusOr<Comparison>(base::Rng& rng, double lift)> run;
  double effect_of_lift_1 = 1;  ///< in the comparison's units
};

constexpr double kLift = 0.15;

absl::StatusOr<Comparison> Means(base::Rng& rng, double lift) {
  Moments control, treatment;
  AddSpending(rng, 1'000, 0, &control);
  AddSpending(rng, 500, lift, &treatment);
  return CompareMeans(control, treatment, kAlpha);
}

absl::StatusOr<Comparison> LiftOfMeans(base::Rng& rng, double lift) {
  Moments control, treatment;
  AddSpending(rng, 1'000, 0, &control);
  AddSpending(rng, 1'000, lift, &treatment);
  return CompareLift(*MeanOf("control", control), *MeanOf("treatment", treatment), kAlpha);
}

absl::StatusOr<Comparison> Proportions(base::Rng& rng, double lift) {
  Proportion control, treatment;
  AddConversions(rng, 1'000, 0, &control);
  AddConversions(rng, 1'000, lift, &treatment);
  return CompareProportions(control, treatment, kAlpha);
}

absl::StatusOr<Comparison> Ratios(base::Rng& rng, double lift) {
  BivariateMoments control, treatment;
  AddClicks(rng, 500, 0, &control);
  AddClicks(rng, 500, lift, &treatment);
  return CompareRatios(control, treatment, kAlpha);
}

absl::StatusOr<Comparison> Cuped(base::Rng& rng, double lift) {
  std::array<BivariateMoments, 2> arms;
  AddWithCovariate(rng, 300, 0, &arms[0]);
  AddWithCovariate(rng, 300, lift, &arms[1]);
  const auto adjusted = AdjustByCovariate(arms);
  return TestAgainstZero(*DifferenceOf(adjusted->arms[0], adjusted->arms[1]), kAlpha);
}

/// Two phases of a ramp; in the second, users spend twice as much.
absl::StatusOr<Comparison> Strata(base::Rng& rng, double lift) {
  std::array<Moments, 2> first, second;
  AddSpending(rng, 900, 0, &first[0]);
  AddSpending(rng, 100, lift, &first[1]);
  AddSpending(rng, 500, 1, &second[0]);
  AddSpending(rng, 500, 1 + 2 * lift, &second[1]);
  const auto arms = PostStratify(std::array{*PooledStratum(first), *PooledStratum(second)});
  return TestAgainstZero(*DifferenceOf((*arms)[0], (*arms)[1]), kAlpha);
}

absl::StatusOr<Comparison> Medians(base::Rng& rng, double lift) {
  const auto control = QuantileOfSorted(SortedWaits(rng, 500, 0), {}),
             treatment = QuantileOfSorted(SortedWaits(rng, 500, lift), {});
  return TestAgainstZero(*DifferenceOf(*control, *treatment), kAlpha);
}

class FixedHorizonTest : public testing::TestWithParam<Kind> {};

TEST_P(FixedHorizonTest, FindsNothingWhereThereIsNothingAndCoversWhatThereIs) {
  int false_alarms = 0, covered = 0, found = 0;
  const double effect = GetParam().effect_of_lift_1 * kLift;
  for (int experiment = 0; experiment < kExperiments; ++experiment) {
    base::Rng rng(static_cast<uint64_t>(experiment) + 1);
    const auto without = GetParam().run(rng, 0), with = GetParam().run(rng, kLift);
    ASSERT_TRUE(without.ok() && with.ok()) << without.status() << with.status();
    false_alarms += without->p_value < kAlpha;
    found += with->p_value < kAlpha;
    covered += with->interval.low <= effect && effect <= with->interval.high;
  }
  const double rate = false_alarms / double{kExperiments}, coverage = covered / double{kExperiments};
  std::cout << fmt::format("{}: false alarms {:.4f}, coverage {:.4f}, power {:.3f}\n", GetParam().name, rate, coverage,
                           found / double{kExperiments});
  EXPECT_NEAR(rate, kAlpha, ChanceOf(kAlpha));
  EXPECT_GE(coverage, 1 - kAlpha - 0.01);
}

INSTANTIATE_TEST_SUITE_P(All, FixedHorizonTest,
                         testing::Values(Kind{"means", Means, 0.4}, Kind{"lift_of_means", LiftOfMeans, 1},
                                         Kind{"proportions", Proportions, 0.1}, Kind{"ratios", Ratios, 0.25},
                                         Kind{"cuped", Cuped, 10}, Kind{"strata", Strata, 0.4 * 1.5},
                                         Kind{"medians", Medians, 0.6931471805599453}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bowerbird::experiment::stats
