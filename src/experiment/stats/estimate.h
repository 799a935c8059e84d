#pragma once

#include <limits>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "experiment/stats/moments.h"

namespace bowerbird::experiment::stats {

/// A number that was estimated, and how far it may be off: what every method of this module makes of its data, and what
/// tests, intervals, sequential looks, segments and posteriors are made from.
///
/// Units    value: the metric's; variance: of the estimate itself, not of one unit, in the metric's units squared.
struct Estimate {
  double value = 0;
  double variance = 0;
  /// How well the variance is known; infinite where the normal distribution stands in for Student's.
  double degrees_of_freedom = std::numeric_limits<double>::infinity();

  double standard_error() const;
};

/// InvalidArgument: value or variance is not finite, the variance is negative, or degrees_of_freedom is not above 0.
absl::Status Check(std::string_view name, const Estimate& estimate);

/// The mean of an arm: s^2 / n with n - 1 degrees of freedom. Errors: those of Check(Moments).
absl::StatusOr<Estimate> MeanOf(std::string_view name, const Moments& moments);

/// The rate of an arm: p (1 - p) / n. Errors: those of Check(Proportion).
absl::StatusOr<Estimate> RateOf(std::string_view name, const Proportion& proportion);

/// mean(y) / mean(x) of an arm whose units (users) each have several of what is counted (views): the delta method, so
/// that units and not views are taken for independent.
///
/// Source   Deng, Knoblich, Lu 2018, "Applying the Delta Method in Metric Analytics": (s_y^2 - 2 r s_xy + r^2 s_x^2) /
///          (n mean(x)^2).
/// Errors   those of Check(BivariateMoments); FailedPrecondition: mean_x is 0.
absl::StatusOr<Estimate> RatioOf(std::string_view name, const BivariateMoments& moments);

/// Sum of weights[i] * estimates[i], which are independent; Satterthwaite's degrees of freedom (with two arms:
/// Welch's).
///
/// Source   Satterthwaite 1946.
/// Errors   those of Check(Estimate); InvalidArgument: another number of weights, a weight that is not finite, or sums
///          beyond a double.
absl::StatusOr<Estimate> Combine(std::span<const Estimate> estimates, std::span<const double> weights);

/// treatment - control. Errors: those of Check(Estimate).
absl::StatusOr<Estimate> DifferenceOf(const Estimate& control, const Estimate& treatment);

/// Relative lift treatment / control - 1 by the delta method. Good while control is many standard errors away from 0;
/// FiellerLift (compare.h) does not need that.
///
/// Source   Deng, Knoblich, Lu 2018: var(t) / c^2 + t^2 var(c) / c^4. Degrees of freedom are those of the difference.
/// Errors   those of Check(Estimate); FailedPrecondition: control is 0; InvalidArgument: the lift is beyond a double.
absl::StatusOr<Estimate> LiftOf(const Estimate& control, const Estimate& treatment);

}  // namespace bowerbird::experiment::stats
