#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "base/rng.h"
#include "sim/world/world.h"

namespace bowerbird::sim::trial {

/// What users did on each day of two periods that follow each other: before an experiment would begin, and during it.
///
/// Data     actions: users x 2 `days`, row-major; kAbsent where the user did not come. What counts are clicks,
/// closeups,
///          saves and purchases.
struct UserDays {
  static constexpr int32_t kAbsent = -1;
  uint32_t days = 0;  ///< of one period, 2 or more
  std::vector<int32_t> actions;

  size_t users() const { return days == 0 ? 0 : actions.size() / (size_t{2} * days); }
};

/// Counts them over the last 2 `days` of the world's history, for the users who had arrived before. Runs the history.
/// InvalidArgument: days is below 2, or the history is shorter than 2 `days`.
absl::StatusOr<UserDays> CountUserDays(world::World& world, uint32_t days);

/// The distribution that outcomes of experiments are drawn from. A user comes at a rate of their own, lognormal between
/// users, and does on a day with a visit a Poisson number of things around a mean that is lognormal between users and
/// between days: most do little, a few do most. With `persistence` a user is in the second period as in the first; else
/// they are redrawn (people leave, come back, change their ways).
struct UserDayModel {
  double rate_log_mean = 0, rate_log_sd = 1;             ///< visits a day; some visit: 1 - exp(-rate)
  double log_mean = 0, log_sd_user = 0, log_sd_day = 0;  ///< of the Poisson's mean
  double persistence = 0;                                ///< in [0, 1]
};

/// Fits by moments: what decides how many users an experiment needs (mean and variance of a user's total over a period,
/// and the covariance of the totals of both periods) are the world's own; the tails beyond follow from the form.
///
/// FailedPrecondition: nobody came, all did, or nobody did anything: there is nothing to fit.
absl::StatusOr<UserDayModel> FitUserDays(const UserDays& observed);

/// A user of whom an experiment would count the second period.
struct DrawnUser {
  struct Day {
    uint32_t day = 0;  ///< from 0
    uint32_t actions = 0;
  };
  std::vector<Day> days;  ///< with a visit, ascending; one or more
  uint32_t before = 0;    ///< actions of the period before
};

/// Draws users from a model. Const calls may come from any thread.
class UserDaySource {
 public:
  UserDaySource(const UserDayModel& model, uint32_t days);
  /// The next user who comes at least once during the experiment; the mean of what they do then is multiplied by
  /// `lift`.
  void Draw(base::Rng& rng, double lift, DrawnUser* user) const;

 private:
  struct Habit {
    double comes = 0;     ///< chance, a day
    double log_mean = 0;  ///< of a day's actions
  };
  Habit DrawHabit(base::Rng& rng) const;
  uint32_t DrawActions(const Habit& habit, double lift, base::Rng& rng) const;

  UserDayModel model_;
  uint32_t days_;
  std::vector<double> chances_;  ///< of a visit on a day: equally likely values
};

}  // namespace bowerbird::sim::trial
