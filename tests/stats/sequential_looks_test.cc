// Tests that are read each day of four weeks: of experiments without an effect they find one in no more than 5% on any
// day, and their intervals hold the true effect on all days at once in 95%.
#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <string>

#include "experiment/stats/cuped.h"
#include "experiment/stats/sequential.h"
#include "fmt/format.h"
#include "gtest/gtest.h"
#include "stats/trials.h"

namespace bowerbird::experiment::stats {
namespace {

constexpr int kDays = 28;
/// Of each arm; on the first day it has this many.
constexpr size_t kUsersADay = 150;
constexpr SequentialPlan kPlan{.alpha = kAlpha, .observations_target = 2 * kUsersADay * kDays};
constexpr double kLift = 0.15;

/// What a look at the data so far says.
using Look = std::function<absl::StatusOr<Comparison>()>;

struct Kind {
  std::string name;
  /// An experiment: calls `look` at the end of each day, until it says that it has seen enough.
  std::function<void(base::Rng& rng, double lift, const std::function<bool(const Look&)>& look)> run;
  double effect_of_lift_1 = 1;
};

void Means(base::Rng& rng, double lift, const std::function<bool(const Look&)>& look) {
  Moments control, treatment;
  for (int day = 0; day < kDays; ++day) {
    AddSpending(rng, kUsersADay, 0, &control);
    AddSpending(rng, kUsersADay, lift, &treatment);
    if (!look([&] { return LookAtMeans(control, treatment, kPlan); })) return;
  }
}

/// The first week a tenth of the users are treated, then half.
void MeansOfARamp(base::Rng& rng, double lift, const std::function<bool(const Look&)>& look) {
  Moments control, treatment;
  for (int day = 0; day < kDays; ++day) {
    const size_t treated = day < 7 ? kUsersADay / 5 : kUsersADay;
    AddSpending(rng, 2 * kUsersADay - treated, 0, &control);
    AddSpending(rng, treated, lift, &treatment);
    // The first looks wait until the smaller arm has enough.
    if (treatment.count >= kUsersADay && !look([&] { return LookAtMeans(control, treatment, kPlan); })) return;
  }
}

void Proportions(base::Rng& rng, double lift, const std::function<bool(const Look&)>& look) {
  Proportion control, treatment;
  for (int day = 0; day < kDays; ++day) {
    AddConversions(rng, kUsersADay, 0, &control);
    AddConversions(rng, kUsersADay, lift, &treatment);
    if (!look([&] { return LookAtProportions(control, treatment, kPlan); })) return;
  }
}

void Cuped(base::Rng& rng, double lift, const std::function<bool(const Look&)>& look) {
  std::array<BivariateMoments, 2> arms;
  for (int day = 0; day < kDays; ++day) {
    for (size_t arm = 0; arm < 2; ++arm) AddWithCovariate(rng, kUsersADay, arm == 0 ? 0 : lift / 10, &arms[arm]);
    const bool go_on = look([&] {
      const auto adjusted = AdjustByCovariate(arms);
      return LookAt(*DifferenceOf(adjusted->arms[0], adjusted->arms[1]),
                    BalancedObservations(arms[0].count, arms[1].count), kPlan);
    });
    if (!go_on) return;
  }
}

/// What is not allowed: a test for one look, each day.
void FixedHorizonMeans(base::Rng& rng, double lift, const std::function<bool(const Look&)>& look) {
  Moments control, treatment;
  for (int day = 0; day < kDays; ++day) {
    AddSpending(rng, kUsersADay, 0, &control);
    AddSpending(rng, kUsersADay, lift, &treatment);
    if (!look([&] { return CompareMeans(control, treatment, kAlpha); })) return;
  }
}

struct Rates {
  double false_alarms = 0, covered = 0, found = 0;
};

Rates RatesOf(const Kind& kind) {
  Rates rates;
  for (int experiment = 0; experiment < kExperiments; ++experiment) {
    base::Rng rng(static_cast<uint64_t>(experiment) + 1);
    kind.run(rng, 0, [&](const Look& look) {
      const absl::StatusOr<Comparison> said = look();
      EXPECT_TRUE(said.ok()) << said.status();
      const bool alarm = said.ok() && said->p_value < kAlpha;
      rates.false_alarms += alarm;
      return !alarm;
    });
    bool covered = true, found = false;
    kind.run(rng, kLift, [&](const Look& look) {
      const absl::StatusOr<Comparison> said = look();
      EXPECT_TRUE(said.ok()) << said.status();
      if (!said.ok()) return false;
      const double effect = kind.effect_of_lift_1 * kLift;
      covered &= said->interval.low <= effect && effect <= said->interval.high;
      found |= said->p_value < kAlpha;
      return true;
    });
    rates.covered += covered;
    rates.found += found;
  }
  for (double* rate : {&rates.false_alarms, &rates.covered, &rates.found}) *rate /= kExperiments;
  std::cout << fmt::format("{}: false alarms on any of {} days {:.4f}, coverage on all {:.4f}, power {:.3f}\n",
                           kind.name, kDays, rates.false_alarms, rates.covered, rates.found);
  return rates;
}

class SequentialLooksTest : public testing::TestWithParam<Kind> {};

TEST_P(SequentialLooksTest, LookingEachDayDoesNotRaiseFalseAlarms) {
  const Rates rates = RatesOf(GetParam());
  EXPECT_LE(rates.false_alarms, kAlpha + ChanceOf(kAlpha));
  EXPECT_GE(rates.covered, 1 - kAlpha - 0.01);
}

INSTANTIATE_TEST_SUITE_P(All, SequentialLooksTest,
                         testing::Values(Kind{"means", Means, 0.4}, Kind{"means_of_a_ramp", MeansOfARamp, 0.4},
                                         Kind{"proportions", Proportions, 0.1}, Kind{"cuped", Cuped, 1}),
                         [](const auto& info) { return info.param.name; });

TEST(SimulationTest, SeesATestThatLooksTooOften) {
  EXPECT_GT(RatesOf({"fixed horizon, each day", FixedHorizonMeans, 0.4}).false_alarms, 0.2);
}

}  // namespace
}  // namespace bowerbird::experiment::stats
