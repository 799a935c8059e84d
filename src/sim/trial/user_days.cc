#include "sim/trial/user_days.h"

#include <algorithm>
#include <cmath>

#include "experiment/stats/distributions.h"
#include "fmt/format.h"

namespace bowerbird::sim::trial {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;
constexpr size_t kChances = 4096;

bool Counts(world::ActionType type) {
  return type == world::ActionType::kClick || type == world::ActionType::kCloseup || type == world::ActionType::kSave ||
         type == world::ActionType::kPurchase;
}

/// Knuth's product of uniforms, in parts whose exp() does not underflow.
uint32_t Poisson(double mean, base::Rng& rng) {
  constexpr double kPart = 30;
  uint32_t count = 0;
  for (double left = mean; left > 0; left -= kPart) {
    const double end = std::exp(-std::min(left, kPart));
    double product = rng.Uniform();
    while (product > end) {
      ++count;
      product *= rng.Uniform();
    }
  }
  return count;
}

/// Days from the one asked about until the next that has a visit.
uint32_t DaysUntilVisit(double comes, uint32_t days_max, base::Rng& rng) {
  if (comes >= 1) return 0;
  const double gap = std::floor(std::log(1 - rng.Uniform()) / std::log1p(-comes));
  return gap < days_max ? static_cast<uint32_t>(gap) : days_max;
}

/// Standard normal values that are equally likely.
std::vector<double> NormalValues(size_t count) {
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) {
    values.push_back(experiment::stats::NormalQuantile((static_cast<double>(i) + .5) / static_cast<double>(count)));
  }
  return values;
}

/// Chance of a visit on a day.
double VisitChance(double rate_log) { return -std::expm1(-std::exp(rate_log)); }

/// The rates whose chances of a visit have this mean and mean square, which lies between mean^2 and mean.
void FitRates(double mean, double mean_square, UserDayModel* model) {
  constexpr int kHalvings = 50;
  const std::vector<double> values = NormalValues(512);
  const auto moment = [&](double location, double spread, int power) {
    double sum = 0;
    for (const double z : values) sum += std::pow(VisitChance(location + spread * z), power);
    return sum / static_cast<double>(values.size());
  };
  const auto halve = [](double low, double high, const auto& is_above) {
    for (int i = 0; i < kHalvings; ++i) {
      const double middle = (low + high) / 2;
      (is_above(middle) ? high : low) = middle;
    }
    return (low + high) / 2;
  };
  // The mean rises with the location; at the location that keeps the mean, the mean square rises with the spread.
  const auto location_of = [&](double spread) {
    return halve(-20, 10, [&](double location) { return moment(location, spread, 1) > mean; });
  };
  model->rate_log_sd = halve(0, 6, [&](double spread) { return moment(location_of(spread), spread, 2) > mean_square; });
  model->rate_log_mean = location_of(model->rate_log_sd);
}

/// Sums over users, periods and days, from which the moments follow.
struct Sums {
  double periods = 0;  ///< users x 2
  double visits = 0, visit_pairs = 0;
  double actions = 0, action_pairs_same_day = 0, action_pairs = 0;
  double both_totals = 0;  ///< product of a user's totals in the two periods

  void Add(const int32_t* actions_of_user, uint32_t days) {
    double totals[2];
    for (size_t period = 0; period < 2; ++period) {
      double visits_here = 0, total = 0, squares = 0;
      for (const int32_t *day = actions_of_user + period * days, *end = day + days; day != end; ++day) {
        if (*day == UserDays::kAbsent) continue;
        const double count = *day;
        ++visits_here;
        total += count;
        squares += count * count;
        action_pairs_same_day += count * (count - 1);
      }
      ++periods;
      visits += visits_here;
      visit_pairs += visits_here * (visits_here - 1);
      actions += total;
      action_pairs += total * total - squares;
      totals[period] = total;
    }
    both_totals += totals[0] * totals[1];
  }
};

}  // namespace

absl::StatusOr<UserDays> CountUserDays(world::World& world, uint32_t days) {
  if (days < 2) return absl::InvalidArgumentError(fmt::format("days: found {}, expected 2 or more", days));
  if (world.options().days < 2.0 * days) {
    return absl::InvalidArgumentError(
        fmt::format("days: found {}, expected at most half of the world's {} days", days, world.options().days));
  }
  const int64_t begin_us = world.options().end_time_us - int64_t{2} * days * kDayUs;
  UserDays counted;
  counted.days = days;
  std::vector<size_t> row(world.user_count(), SIZE_MAX);
  for (uint32_t user = 0; user < world.user_count(); ++user) {
    if (world.UserArrivalUs(world::UserNumber(user)) >= begin_us) continue;
    row[user] = counted.actions.size();
    counted.actions.resize(counted.actions.size() + size_t{2} * days, UserDays::kAbsent);
  }
  world.History([&](const world::Event& event) {
    if (event.time_us < begin_us || event.user.value >= row.size() || row[event.user.value] == SIZE_MAX) return;
    const auto day = std::min<size_t>(static_cast<size_t>((event.time_us - begin_us) / kDayUs), size_t{2} * days - 1);
    int32_t& actions = counted.actions[row[event.user.value] + day];
    if (actions == UserDays::kAbsent) actions = 0;
    if (Counts(event.action.type)) ++actions;
  });
  return counted;
}

absl::StatusOr<UserDayModel> FitUserDays(const UserDays& observed) {
  Sums sums;
  const uint32_t days = observed.days;
  for (size_t user = 0; user < observed.users(); ++user) sums.Add(&observed.actions[user * 2 * days], days);
  // Of p, a user's chance to come, and c, what is done on a day with a visit; pairs are of two days of one period.
  const double p = sums.visits / sums.periods / days;
  const double p_squared = sums.visit_pairs / sums.periods / days / (days - 1);
  const double c = sums.actions / sums.visits;
  const double c_same_day = sums.action_pairs_same_day / sums.visits;
  const double c_two_days = sums.action_pairs / sums.visit_pairs;
  if (!(p > 0 && p_squared > p * p && p_squared < p && c > 0 && c_same_day > 0 && c_two_days > 0)) {
    return absl::FailedPreconditionError(
        fmt::format("user days: found {} users with {} visits and {} actions; expected enough of both to fit",
                    observed.users(), sums.visits, sums.actions));
  }
  UserDayModel model;
  FitRates(p, p_squared, &model);
  // Of Poisson counts around a lognormal mean: E[c] = exp(m + (u^2 + d^2) / 2), E[c (c - 1)] = E[c]^2 exp(u^2 + d^2),
  // and of two days E[c c'] = E[c]^2 exp(u^2).
  const double user_variance = std::max(0.0, std::log(c_two_days / (c * c)));
  const double day_variance = std::max(0.0, std::log(c_same_day / (c * c)) - user_variance);
  model.log_sd_user = std::sqrt(user_variance);
  model.log_sd_day = std::sqrt(day_variance);
  model.log_mean = std::log(c) - (user_variance + day_variance) / 2;
  // Whoever persists has totals that covary as two days of one period do; of the others the product is mean^2.
  const double users = sums.periods / 2;
  const double mean = sums.actions / sums.periods;
  const double of_one_habit = p_squared * c_two_days * days * days;
  const double covariance = of_one_habit - mean * mean;
  model.persistence = covariance > 0 ? std::clamp((sums.both_totals / users - mean * mean) / covariance, 0.0, 1.0) : 0;
  return model;
}

UserDaySource::UserDaySource(const UserDayModel& model, uint32_t days)
    : model_(model), days_(days), chances_(NormalValues(kChances)) {
  for (double& z : chances_) z = VisitChance(model.rate_log_mean + model.rate_log_sd * z);
}

UserDaySource::Habit UserDaySource::DrawHabit(base::Rng& rng) const {
  const double comes = chances_[rng.Below(chances_.size())];
  return {comes, model_.log_mean + model_.log_sd_user * rng.Normal()};
}

uint32_t UserDaySource::DrawActions(const Habit& habit, double lift, base::Rng& rng) const {
  return Poisson(lift * std::exp(habit.log_mean + model_.log_sd_day * rng.Normal()), rng);
}

void UserDaySource::Draw(base::Rng& rng, double lift, DrawnUser* user) const {
  user->days.clear();
  user->before = 0;
  Habit habit;
  while (user->days.empty()) {
    habit = DrawHabit(rng);
    for (uint32_t day = DaysUntilVisit(habit.comes, days_, rng); day < days_;
         day += 1 + DaysUntilVisit(habit.comes, days_, rng)) {
      user->days.push_back({day, DrawActions(habit, lift, rng)});
    }
  }
  if (!rng.Bernoulli(model_.persistence)) habit = DrawHabit(rng);
  for (uint32_t day = DaysUntilVisit(habit.comes, days_, rng); day < days_;
       day += 1 + DaysUntilVisit(habit.comes, days_, rng)) {
    user->before += DrawActions(habit, 1, rng);
  }
}

}  // namespace bowerbird::sim::trial
