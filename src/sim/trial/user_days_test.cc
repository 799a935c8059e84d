#include "sim/trial/user_days.h"

#include <algorithm>
#include <cmath>

#include "experiment/stats/moments.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::sim::trial {
namespace {

using testing::HasSubstr;

constexpr uint32_t kDays = 14;

/// Users by the model's own words, day by day.
UserDays Simulated(const UserDayModel& model, size_t users, uint64_t seed) {
  UserDays days;
  days.days = kDays;
  base::Rng rng(seed);
  for (size_t user = 0; user < users; ++user) {
    double comes = 0, log_mean = 0;
    for (uint32_t day = 0; day < 2 * kDays; ++day) {
      if (day == 0 || (day == kDays && !rng.Bernoulli(model.persistence))) {
        comes = 1 - std::exp(-std::exp(model.rate_log_mean + model.rate_log_sd * rng.Normal()));
        log_mean = model.log_mean + model.log_sd_user * rng.Normal();
      }
      if (!rng.Bernoulli(comes)) {
        days.actions.push_back(UserDays::kAbsent);
        continue;
      }
      const double mean = std::exp(log_mean + model.log_sd_day * rng.Normal());
      int32_t actions = -1;
      for (double sum = 0; sum < mean; ++actions) sum += rng.Exponential();
      days.actions.push_back(actions);
    }
  }
  return days;
}

/// Totals of the second and the first period, of those who come in the second.
experiment::stats::BivariateMoments Totals(const UserDays& days) {
  experiment::stats::BivariateMoments totals;
  for (size_t user = 0; user < days.users(); ++user) {
    const int32_t* row = &days.actions[user * 2 * days.days];
    double during = 0, before = 0;
    bool comes = false;
    for (uint32_t day = 0; day < days.days; ++day) {
      before += std::max(0, row[day]);
      during += std::max(0, row[days.days + day]);
      comes = comes || row[days.days + day] != UserDays::kAbsent;
    }
    if (comes) totals.Add(during, before);
  }
  return totals;
}

experiment::stats::BivariateMoments Drawn(const UserDayModel& model, double lift, size_t users) {
  const UserDaySource source(model, kDays);
  experiment::stats::BivariateMoments totals;
  base::Rng rng(11);
  DrawnUser user;
  for (size_t i = 0; i < users; ++i) {
    source.Draw(rng, lift, &user);
    double total = 0;
    for (const DrawnUser::Day& day : user.days) total += day.actions;
    totals.Add(total, user.before);
  }
  return totals;
}

double Correlation(const experiment::stats::BivariateMoments& m) { return m.comoment / std::sqrt(m.m2_x * m.m2_y); }

TEST(UserDaysTest, AFitFindsTheModelAgain) {
  const UserDayModel model{-1.8, .8, 1.2, .5, .7, .6};
  const auto fitted = FitUserDays(Simulated(model, 40'000, 5));
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_NEAR(fitted->rate_log_mean, model.rate_log_mean, .05);
  EXPECT_NEAR(fitted->rate_log_sd, model.rate_log_sd, .05);
  EXPECT_NEAR(fitted->log_mean, model.log_mean, .06);
  EXPECT_NEAR(fitted->log_sd_user, model.log_sd_user, .06);
  EXPECT_NEAR(fitted->log_sd_day, model.log_sd_day, .06);
  EXPECT_NEAR(fitted->persistence, model.persistence, .08);
}

TEST(UserDaysTest, DrawsAreTheModelsUsersWhoCome) {
  const UserDayModel model{-1.8, .8, 1.2, .5, .7, .6};
  const auto simulated = Totals(Simulated(model, 60'000, 6)), drawn = Drawn(model, 1, 60'000);
  EXPECT_NEAR(drawn.mean_y / simulated.mean_y, 1, .03);
  EXPECT_NEAR(drawn.mean_x / simulated.mean_x, 1, .03);
  EXPECT_NEAR(std::sqrt(drawn.y().variance() / simulated.y().variance()), 1, .06);
  EXPECT_NEAR(Correlation(drawn), Correlation(simulated), .04);
}

TEST(UserDaysTest, ALiftIsOfWhatIsDoneDuringTheExperiment) {
  const UserDayModel model{-1.8, .8, 1.2, .5, .7, .6};
  const auto plain = Drawn(model, 1, 60'000), lifted = Drawn(model, 1.5, 60'000);
  EXPECT_NEAR(lifted.mean_y / plain.mean_y, 1.5, .05);
  EXPECT_NEAR(lifted.mean_x / plain.mean_x, 1, .04);
}

TEST(UserDaysTest, TheFitToAWorldHasItsMeanSpreadAndCorrelation) {
  world::WorldOptions options;
  options.users = 3000;
  world::World world = *world::World::Create(options);
  const auto observed = CountUserDays(world, kDays);
  ASSERT_TRUE(observed.ok()) << observed.status();
  EXPECT_GT(observed->users(), 2'000u);
  const auto model = FitUserDays(*observed);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto of_world = Totals(*observed), drawn = Drawn(*model, 1, 100'000);
  EXPECT_NEAR(drawn.mean_y / of_world.mean_y, 1, .12);
  EXPECT_NEAR(std::sqrt(drawn.y().variance() / of_world.y().variance()), 1, .15);
  EXPECT_NEAR(Correlation(drawn), Correlation(of_world), .1);
}

TEST(UserDaysTest, WhatCannotBeCountedOrFittedIsRefused) {
  world::WorldOptions options;
  options.users = 20;
  options.items = 100;
  options.days = 10;
  world::World world = *world::World::Create(options);
  EXPECT_THAT(CountUserDays(world, 6).status().message(), HasSubstr("days: found 6, expected at most half"));
  EXPECT_THAT(CountUserDays(world, 1).status().message(), HasSubstr("days: found 1, expected 2 or more"));
  UserDays nobody;
  nobody.days = kDays;
  EXPECT_EQ(FitUserDays(nobody).status().code(), absl::StatusCode::kFailedPrecondition);
  nobody.actions.assign(size_t{10} * 2 * kDays, UserDays::kAbsent);
  EXPECT_EQ(FitUserDays(nobody).status().code(), absl::StatusCode::kFailedPrecondition);
  nobody.actions.assign(size_t{10} * 2 * kDays, 0);
  EXPECT_EQ(FitUserDays(nobody).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace bowerbird::sim::trial
