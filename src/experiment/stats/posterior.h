#pragma once

#include <limits>

#include "absl/status/statusor.h"
#include "experiment/stats/compare.h"
#include "experiment/stats/estimate.h"

namespace bowerbird::experiment::stats {

/// What was believed of an effect before the experiment, in its units. As it stands: nothing (a flat prior).
struct NormalPrior {
  double mean = 0;
  double variance = std::numeric_limits<double>::infinity();  ///< above 0
};

/// What is believed of it afterwards: a normal distribution.
struct Posterior {
  double mean = 0;
  double standard_deviation = 0;
  Interval interval;               ///< holds the effect with probability 1 - alpha
  double probability_above_0 = 0;  ///< that treatment beats control
  /// What is lost on average by choosing an arm: the effect, where the other one is better.
  double loss_of_treatment = 0, loss_of_control = 0;
};

/// The posterior of a difference or a lift under a normal prior. Looking early and often does not make it wrong, as
/// long as the prior is honest; it does not bound false alarms as sequential.h does.
///
/// Source   conjugate normal model with known variance; expected loss: Stucchio 2015, "Bayesian A/B Testing at VWO".
/// Errors   InvalidArgument: alpha is outside of (0, 1), prior.mean is not finite, prior.variance is not above 0, or
///          those of Check(Estimate). FailedPrecondition: the effect's variance is 0.
absl::StatusOr<Posterior> PosteriorOf(const Estimate& effect, const NormalPrior& prior, double alpha);

}  // namespace bowerbird::experiment::stats
