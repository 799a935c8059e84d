#include "sim/world/schedule.h"

#include <algorithm>
#include <cmath>

#include "sim/world/catalog_maker.h"

namespace bowerbird::sim::world {
namespace {

/// Visits by hour of the day, mean 1 (the form of a news portal's day, with a fuller evening).
constexpr double kRhythm[24] = {.5,  .26, .15, .12, .13, .26, .59,  1.04, 1.3, 1.2,  1.2,  1.3,
                                1.5, 1.5, 1.4, 1.4, 1.4, 1.4, 1.35, 1.35, 1.4, 1.45, 1.25, .9};
constexpr double kRhythmMax = 1.5;
/// A user who has left comes back this much more rarely.
constexpr double kAwayFactor = 12;

}  // namespace

double LocalHour(const TrueUser& user, int64_t time_us) {
  const double hours = static_cast<double>(time_us % kDayUs) / 3.6e9 + user.hour_shift;
  return hours - 24 * std::floor(hours / 24);
}

Schedule::Schedule(const WorldOptions& options, const std::vector<TrueUser>& users) : users_(users) {
  rngs_.reserve(users.size());
  for (uint32_t u = 0; u < users.size(); ++u) {
    rngs_.emplace_back(StreamSeed(options.seed, "visits") ^ users[u].seed);
    const double lead_days = rngs_[u].Exponential() * std::min(1 / users[u].visits_per_day, 6.0);
    queue_.push({After(u, users[u].arrival_us + static_cast<int64_t>(lead_days * static_cast<double>(kDayUs))), u});
  }
}

int64_t Schedule::After(uint32_t user, int64_t time_us) {
  base::Rng& rng = rngs_[user];
  const TrueUser& who = users_[user];
  // A quarter of the visits follow within hours (something was left open); the others keep the user's pace.
  double gap_days = rng.Bernoulli(.3) ? .04 + .15 * rng.Exponential()
                                      : (1 / who.visits_per_day) * std::exp(.7 * rng.Normal()) *
                                            (time_us > who.leave_us ? kAwayFactor : 1);
  int64_t at_us = time_us + static_cast<int64_t>(gap_days * static_cast<double>(kDayUs));
  // Asleep: try again a little later, until the hour is one at which this user is up.
  while (!rng.Bernoulli(kRhythm[static_cast<int>(LocalHour(who, at_us))] / kRhythmMax)) {
    at_us += static_cast<int64_t>(3.6e9 * (.2 + 1.2 * rng.Uniform()));
  }
  return at_us;
}

Visit Schedule::Next() {
  const Entry entry = queue_.top();
  queue_.pop();
  queue_.push({After(entry.user, entry.time_us), entry.user});
  return {UserNumber(entry.user), entry.time_us};
}

}  // namespace bowerbird::sim::world
