#pragma once

#include <span>

#include "absl/status/statusor.h"
#include "experiment/stats/compare.h"
#include "experiment/stats/estimate.h"

namespace bowerbird::experiment::stats {

/// What the treatment did on one day.
struct DayEffect {
  double day = 0;  ///< of the experiment, or since a unit entered
  Estimate effect;
};

/// Whether the effect grows or wears off: the slope of effects over days, in the metric's units a day, by weighted
/// least squares with weights 1 / variance.
///
/// Data     effects of days in any order. Those of other units on each day are independent; the same units each day
/// make
///          the slope's variance a guess, too large as a rule, because what they share cancels in a slope.
/// Source   weighted least squares with known variances: slope = sum of w (d - mean d) e / sum of w (d - mean d)^2,
/// whose
///          variance is 1 / that sum.
/// Errors   InvalidArgument: alpha is outside of (0, 1), a day is not finite, or those of Check(Estimate), named
///          "days[i]". FailedPrecondition: fewer than two different days, or a variance is 0.
absl::StatusOr<Comparison> TrendOf(std::span<const DayEffect> days, double alpha);

}  // namespace bowerbird::experiment::stats
