#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "experiment/stats/compare.h"
#include "experiment/stats/estimate.h"
#include "experiment/stats/moments.h"

namespace bowerbird::experiment::stats {

/// Answers that stay valid however often one looks, and whenever one stops: mixture sequential probability ratio test
/// (mSPRT) and confidence sequence, which are two sides of one boundary.
struct SequentialPlan {
  double alpha = 0.05;             ///< in (0, 1): of the whole sequence of looks
  double observations_target = 0;  ///< above 0: where the boundary is narrowest; it holds everywhere

  /// The standard deviation of the normal mixture, in standard deviations of one observation. Source: Waudby-Smith et
  /// al., appendix B.2: sqrt((-2 log alpha + log(-2 log alpha + 1)) / observations_target).
  double rho() const;
};

/// Observations as they count for a plan: units of both arms where they are split evenly, fewer where they are not, so
/// that a ramp from 10% to 50% is one sequence: 4 c t / (c + t).
double BalancedObservations(uint64_t control, uint64_t treatment);

/// The effect as of one look. The interval covers the true effect at all looks at once with probability 1 - alpha, and
/// p_value is below alpha exactly when it leaves 0 out. The smallest p_value of all looks is valid, too.
///
/// With n observations, g = n rho^2 and v the effect's variance: the interval is effect -+ sqrt(2 v (1 + g) / g
/// log(sqrt(1 + g) / alpha)), and 1 / p_value = exp(g effect^2 / (2 v (1 + g))) / sqrt(1 + g).
///
/// Source   Johari, Koomen, Pekelis, Walsh 2017, "Peeking at A/B Tests" (mSPRT with a normal mixture); Waudby-Smith,
///          Arbour, Sinha, Kennedy, Ramdas 2021, "Time-uniform central limit theory and asymptotic confidence
///          sequences", for the variance that is estimated. That makes it asymptotic: let the first look wait until
///          each arm has some hundred units, more where values are rare or heavy-tailed.
/// Errors   InvalidArgument: alpha is outside of (0, 1), observations or observations_target is not above 0, or those
/// of
///          Check(Estimate). FailedPrecondition: the variance is 0.
absl::StatusOr<Comparison> LookAt(const Estimate& effect, double observations, const SequentialPlan& plan);

/// The same for a difference of means, n by BalancedObservations.
absl::StatusOr<Comparison> LookAtMeans(const Moments& control, const Moments& treatment, const SequentialPlan& plan);

/// The same for a difference of rates. Their variances are those of (successes + 1) / (trials + 2), so that an arm that
/// has had no success by chance is not taken for certain.
absl::StatusOr<Comparison> LookAtProportions(const Proportion& control, const Proportion& treatment,
                                             const SequentialPlan& plan);

}  // namespace bowerbird::experiment::stats
