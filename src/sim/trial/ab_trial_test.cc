#include "sim/trial/ab_trial.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::sim::trial {
namespace {

using testing::HasSubstr;

/// About what is fitted to the default world.
constexpr UserDayModel kModel{-2.3, 1.16, 1.77, .1, .6, .95};

TEST(AbTrialTest, FindsThePlannedEffectAsOftenAsPlanned) {
  const auto report = RunAbTrial(kModel, {.effect = .06, .repeats = 400});
  ASSERT_TRUE(report.ok()) << report.status();
  // Four standard errors around 80%, and what the treatment's larger spread takes, which is not planned for.
  EXPECT_NEAR(report->fixed.share, .8, .09);
  EXPECT_NEAR(report->fixed_cuped.share, .8, .09);
  EXPECT_LT(report->fixed.interval.low, report->fixed.share);
  EXPECT_GT(report->fixed.interval.high, report->fixed.share);
  EXPECT_EQ(report->fixed.wrong_sign, 0u);
  EXPECT_GT(report->all_cuped.detected, report->fixed_cuped.detected);

  EXPECT_GT(report->variance_reduction, .2);
  EXPECT_NEAR(static_cast<double>(report->users_cuped) / static_cast<double>(report->users),
              1 - report->variance_reduction, .01);
  // Looking daily finds fewer, and those earlier.
  EXPECT_LT(report->sequential.found.detected, report->fixed.detected);
  EXPECT_GT(report->sequential.found.share, .3);
  EXPECT_LT(report->sequential.stop_day_median.value(), 14);
}

TEST(AbTrialTest, FindsALossAsWell) {
  const auto report = RunAbTrial(kModel, {.effect = -.06, .repeats = 60});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(report->fixed.share, .6);
  EXPECT_EQ(report->fixed.wrong_sign, 0u);
}

TEST(AbTrialTest, WhereNothingIsLittleIsFound) {
  const auto report = RunAbTrial(kModel, {.effect = 0, .repeats = 600, .planned_effect = .06});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_LE(report->fixed.interval.low, .05);
  EXPECT_LE(report->fixed_cuped.interval.low, .05);
  EXPECT_LE(report->sequential.found.interval.low, .05);
  EXPECT_LE(report->sequential_cuped.found.interval.low, .05);
  EXPECT_GE(report->fixed.interval.high, .05);
}

TEST(AbTrialTest, TheSameSeedGivesTheSameReport) {
  const AbTrialOptions options{.effect = .06, .repeats = 40, .seed = 9};
  const auto a = RunAbTrial(kModel, options), b = RunAbTrial(kModel, options);
  EXPECT_EQ(a->users, b->users);
  EXPECT_EQ(a->fixed.detected, b->fixed.detected);
  EXPECT_EQ(a->sequential_cuped.users_saved, b->sequential_cuped.users_saved);
  const auto other = RunAbTrial(kModel, {.effect = .06, .repeats = 40, .seed = 10});
  EXPECT_NE(a->sequential_cuped.users_saved, other->sequential_cuped.users_saved);
}

TEST(AbTrialTest, RefusesWhatIsOutOfRange) {
  EXPECT_THAT(RunAbTrial(kModel, {.effect = -1}).status().message(), HasSubstr("effect: found -1"));
  EXPECT_THAT(RunAbTrial(kModel, {.days = 1}).status().message(), HasSubstr("days: found 1"));
  EXPECT_THAT(RunAbTrial(kModel, {.repeats = 0}).status().message(), HasSubstr("repeat: found 0"));
  EXPECT_THAT(RunAbTrial(kModel, {.effect = .0001}).status().message(), HasSubstr("expected one that takes at most"));
}

}  // namespace
}  // namespace bowerbird::sim::trial
