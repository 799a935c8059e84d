#include "sim/trial/ab_trial.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/hash.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "experiment/stats/cuped.h"
#include "experiment/stats/power.h"
#include "experiment/stats/sequential.h"
#include "fmt/format.h"

namespace bowerbird::sim::trial {
namespace {

namespace stats = experiment::stats;

constexpr uint64_t kPilotUsers = 400'000;
constexpr double kDrawsMax = 2e9;
/// A look waits until each arm has so many users: the always-valid interval is asymptotic.
constexpr uint64_t kUsersAtFirstLook = 500;

/// Exact sums over users: actions are counts.
struct Sums {
  uint64_t users = 0;
  uint64_t y = 0, y_squared = 0;  ///< actions during the experiment
  uint64_t x = 0, x_squared = 0;  ///< and before it
  uint64_t xy = 0;

  void Add(const Sums& other) {
    users += other.users;
    y += other.y;
    y_squared += other.y_squared;
    x += other.x;
    x_squared += other.x_squared;
    xy += other.xy;
  }

  stats::BivariateMoments Moments() const {
    const auto n = static_cast<double>(users);
    stats::BivariateMoments moments;
    moments.count = users;
    if (users == 0) return moments;
    moments.mean_y = static_cast<double>(y) / n;
    moments.mean_x = static_cast<double>(x) / n;
    moments.m2_y = std::max(0.0, static_cast<double>(y_squared) - n * moments.mean_y * moments.mean_y);
    moments.m2_x = std::max(0.0, static_cast<double>(x_squared) - n * moments.mean_x * moments.mean_x);
    moments.comoment = static_cast<double>(xy) - n * moments.mean_x * moments.mean_y;
    return moments;
  }
};

using Arms = std::array<Sums, 2>;  // control, treatment

/// What `user` adds to the sums of each day.
void AddDays(const DrawnUser& user, size_t arm, std::vector<Arms>* by_day) {
  uint64_t total = 0;
  for (const DrawnUser::Day& day : user.days) {
    Sums& sums = (*by_day)[day.day][arm];
    if (&day == user.days.data()) {
      ++sums.users;
      sums.x += user.before;
      sums.x_squared += uint64_t{user.before} * user.before;
    }
    sums.y += day.actions;
    sums.y_squared += (2 * total + day.actions) * day.actions;
    sums.xy += uint64_t{user.before} * day.actions;
    total += day.actions;
  }
}

absl::StatusOr<stats::Estimate> Effect(const Arms& arms, bool cuped) {
  const std::array<stats::BivariateMoments, 2> moments = {arms[0].Moments(), arms[1].Moments()};
  if (cuped) {
    ASSIGN_OR_RETURN(const stats::CupedMeans means, stats::AdjustByCovariate(moments));
    return stats::DifferenceOf(means.arms[0], means.arms[1]);
  }
  ASSIGN_OR_RETURN(const stats::Estimate control, stats::MeanOf("control", moments[0].y()));
  ASSIGN_OR_RETURN(const stats::Estimate treatment, stats::MeanOf("treatment", moments[1].y()));
  return stats::DifferenceOf(control, treatment);
}

/// What one way of reading one experiment found: -1, 0 or 1, and when.
struct Verdict {
  int sign = 0;
  uint32_t day = 0;  ///< from 1
  uint64_t users = 0;
};

int SignOf(const stats::Comparison& comparison, double alpha) {
  if (comparison.p_value >= alpha) return 0;
  return comparison.effect.value > 0 ? 1 : -1;
}

absl::StatusOr<Verdict> ReadOnce(const Arms& arms, bool cuped, double alpha) {
  ASSIGN_OR_RETURN(const stats::Estimate effect, Effect(arms, cuped));
  ASSIGN_OR_RETURN(const stats::Comparison comparison, stats::TestAgainstZero(effect, alpha));
  return Verdict{SignOf(comparison, alpha), 0, 0};
}

absl::StatusOr<Verdict> ReadDaily(const std::vector<Arms>& until_day, bool cuped, const stats::SequentialPlan& plan) {
  for (uint32_t day = 0; day < until_day.size(); ++day) {
    const Arms& arms = until_day[day];
    if (std::min(arms[0].users, arms[1].users) < kUsersAtFirstLook) continue;
    ASSIGN_OR_RETURN(const stats::Estimate effect, Effect(arms, cuped));
    const double observations = stats::BalancedObservations(arms[0].users, arms[1].users);
    ASSIGN_OR_RETURN(const stats::Comparison comparison, stats::LookAt(effect, observations, plan));
    if (const int sign = SignOf(comparison, plan.alpha); sign != 0) {
      return Verdict{sign, day + 1, arms[0].users + arms[1].users};
    }
  }
  return Verdict{};
}

struct Repeat {
  Verdict fixed, fixed_cuped, all_cuped, daily, daily_cuped;
};

absl::StatusOr<Repeat> RunOnce(const UserDaySource& source, const AbTrialOptions& options, const AbTrialReport& plan,
                               uint64_t seed) {
  base::Rng rng(seed);
  std::vector<Arms> by_day(options.days);
  Arms first_users{};
  DrawnUser user;
  for (uint64_t i = 0; i < plan.users; ++i) {
    if (i == plan.users_cuped) {
      for (const Arms& day : by_day) {
        for (size_t arm = 0; arm < 2; ++arm) first_users[arm].Add(day[arm]);
      }
    }
    source.Draw(rng, i % 2 == 0 ? 1 : 1 + options.effect, &user);
    AddDays(user, i % 2, &by_day);
  }
  for (size_t day = 1; day < by_day.size(); ++day) {
    for (size_t arm = 0; arm < 2; ++arm) by_day[day][arm].Add(by_day[day - 1][arm]);
  }
  if (plan.users_cuped == plan.users) first_users = by_day.back();
  const stats::SequentialPlan sequential{plan.alpha, static_cast<double>(plan.users)};
  Repeat repeat;
  ASSIGN_OR_RETURN(repeat.fixed, ReadOnce(by_day.back(), false, plan.alpha));
  ASSIGN_OR_RETURN(repeat.fixed_cuped, ReadOnce(first_users, true, plan.alpha));
  ASSIGN_OR_RETURN(repeat.all_cuped, ReadOnce(by_day.back(), true, plan.alpha));
  ASSIGN_OR_RETURN(repeat.daily, ReadDaily(by_day, false, sequential));
  ASSIGN_OR_RETURN(repeat.daily_cuped, ReadDaily(by_day, true, sequential));
  return repeat;
}

absl::Status Plan(const UserDaySource& source, const AbTrialOptions& options, AbTrialReport* report) {
  base::Rng rng(base::CombineHash(options.seed, base::Hash64("pilot")));
  stats::BivariateMoments pilot;
  DrawnUser user;
  for (uint64_t i = 0; i < kPilotUsers; ++i) {
    source.Draw(rng, 1, &user);
    double total = 0;
    for (const DrawnUser::Day& day : user.days) total += day.actions;
    pilot.Add(total, user.before);
  }
  report->mean = pilot.mean_y;
  report->standard_deviation = std::sqrt(pilot.y().variance());
  ASSIGN_OR_RETURN(const stats::CupedMeans adjusted, stats::AdjustByCovariate({&pilot, 1}));
  report->variance_reduction = adjusted.variance_reduction;
  report->planned_effect = options.effect == 0 ? options.planned_effect : options.effect;
  const double effect = report->mean * report->planned_effect;
  stats::PowerPlan plan{.alpha = report->alpha, .power = report->power};
  ASSIGN_OR_RETURN(const stats::ArmSizes sizes, stats::SizesForMeans(report->standard_deviation, effect, plan));
  plan.variance_reduction = report->variance_reduction;
  ASSIGN_OR_RETURN(const stats::ArmSizes cuped, stats::SizesForMeans(report->standard_deviation, effect, plan));
  report->users = sizes.control + sizes.treatment;
  report->users_cuped = cuped.control + cuped.treatment;
  if (static_cast<double>(report->users) * options.repeats <= kDrawsMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("effect: found {}, which takes {} users in each of {} repeats; expected one that takes at most {}",
                  options.effect, report->users, options.repeats, static_cast<uint64_t>(kDrawsMax / options.repeats)));
}

absl::StatusOr<Detections> Count(const std::vector<Repeat>& repeats, Verdict Repeat::*reading, double effect,
                                 double alpha) {
  Detections found;
  for (const Repeat& repeat : repeats) {
    const int sign = (repeat.*reading).sign;
    const bool is_other_way = effect != 0 && sign != 0 && (sign > 0) != (effect > 0);
    if (is_other_way) ++found.wrong_sign;
    if (sign != 0 && !is_other_way) ++found.detected;
  }
  const stats::Proportion proportion{found.detected, repeats.size()};
  found.share = proportion.rate();
  ASSIGN_OR_RETURN(found.interval, stats::ExactInterval(proportion, alpha));
  return found;
}

absl::StatusOr<SequentialDetections> CountDaily(const std::vector<Repeat>& repeats, Verdict Repeat::*reading,
                                                double effect, const AbTrialReport& report) {
  SequentialDetections sequential;
  ASSIGN_OR_RETURN(sequential.found, Count(repeats, reading, effect, report.alpha));
  std::vector<uint32_t> days;
  double saved = 0;
  for (const Repeat& repeat : repeats) {
    const Verdict& verdict = repeat.*reading;
    if (verdict.sign == 0) continue;
    days.push_back(verdict.day);
    saved += 1 - static_cast<double>(verdict.users) / static_cast<double>(report.users);
  }
  if (days.empty()) return sequential;
  std::sort(days.begin(), days.end());
  sequential.stop_day_median = (days[(days.size() - 1) / 2] + days[days.size() / 2]) / 2.0;
  sequential.users_saved = saved / static_cast<double>(days.size());
  return sequential;
}

absl::Status Check(const AbTrialOptions& options) {
  const auto refuse = [](std::string_view field, auto found, std::string_view accepted) {
    return absl::InvalidArgumentError(fmt::format("{}: found {}, expected {}", field, found, accepted));
  };
  if (!(options.effect > -1 && options.effect <= 10)) return refuse("effect", options.effect, "above -1, 10 at most");
  if (options.days < 2 || options.days > 365) return refuse("days", options.days, "2 to 365");
  if (options.repeats < 1 || options.repeats > 100'000) return refuse("repeat", options.repeats, "1 to 100,000");
  if (!(options.planned_effect > 0 && options.planned_effect <= 10)) {
    return refuse("planned_effect", options.planned_effect, "above 0, 10 at most");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AbTrialReport> RunAbTrial(const UserDayModel& model, const AbTrialOptions& options) {
  RETURN_IF_ERROR(Check(options));
  const UserDaySource source(model, options.days);
  AbTrialReport report;
  RETURN_IF_ERROR(Plan(source, options, &report));
  std::vector<absl::StatusOr<Repeat>> outcomes(options.repeats, Repeat{});
  base::ParallelFor(0, options.repeats, [&](size_t repeat, uint32_t) {
    outcomes[repeat] = RunOnce(source, options, report, base::CombineHash(options.seed, repeat));
  });
  std::vector<Repeat> repeats;
  for (absl::StatusOr<Repeat>& outcome : outcomes) {
    RETURN_IF_ERROR(outcome.status());
    repeats.push_back(*outcome);
  }
  ASSIGN_OR_RETURN(report.fixed, Count(repeats, &Repeat::fixed, options.effect, report.alpha));
  ASSIGN_OR_RETURN(report.fixed_cuped, Count(repeats, &Repeat::fixed_cuped, options.effect, report.alpha));
  ASSIGN_OR_RETURN(report.all_cuped, Count(repeats, &Repeat::all_cuped, options.effect, report.alpha));
  ASSIGN_OR_RETURN(report.sequential, CountDaily(repeats, &Repeat::daily, options.effect, report));
  ASSIGN_OR_RETURN(report.sequential_cuped, CountDaily(repeats, &Repeat::daily_cuped, options.effect, report));
  return report;
}

}  // namespace bowerbird::sim::trial
