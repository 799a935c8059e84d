#pragma once

#include "absl/status/statusor.h"
#include "experiment/stats/estimate.h"
#include "experiment/stats/moments.h"

namespace bowerbird::experiment::stats {

/// Two arms at a fixed horizon: read once, when the planned number of units is in. Looking each day and stopping at the
/// first small p is what sequential.h is for.
///
/// Units    alpha in (0, 1) is the two-sided chance of a false alarm: 0.05 goes with a 95% interval.
/// Errors   InvalidArgument: those of the checks in moments.h and estimate.h, named "control" and "treatment", or alpha
///          is outside of (0, 1). FailedPrecondition: too few units, or nothing varies, so that there is nothing to
///          test against.

struct Interval {
  double low = 0, high = 0;
  bool operator==(const Interval&) const = default;
};

/// value -+ reach. InvalidArgument: an end is beyond a double.
absl::StatusOr<Interval> IntervalAround(double value, double reach);

/// What is known of an effect: of a difference or a lift, treatment against control.
struct Comparison {
  Estimate effect;
  Interval interval;   ///< covers the true effect with probability 1 - alpha
  double p_value = 1;  ///< two-sided: of an effect at least as large where there is none
};

/// Tests an effect against 0, by Student's distribution with its degrees of freedom.
absl::StatusOr<Comparison> TestAgainstZero(const Estimate& effect, double alpha);

/// Difference of means. Source: Welch 1947.
absl::StatusOr<Comparison> CompareMeans(const Moments& control, const Moments& treatment, double alpha);

/// Difference of rates: z test with the pooled rate, because under no difference there is one; Wald's interval, which
/// does not assume that. At the edge of significance the two may disagree. Both want about ten successes and failures
/// an arm.
absl::StatusOr<Comparison> CompareProportions(const Proportion& control, const Proportion& treatment, double alpha);

/// The interval of one rate that no approximation makes too narrow, also where successes are few or none.
///
/// Source   Clopper, Pearson 1934, from quantiles of the Beta distribution.
absl::StatusOr<Interval> ExactInterval(const Proportion& proportion, double alpha);

/// Difference of ratios of means (RatioOf).
absl::StatusOr<Comparison> CompareRatios(const BivariateMoments& control, const BivariateMoments& treatment,
                                         double alpha);

/// Relative lift (LiftOf).
absl::StatusOr<Comparison> CompareLift(const Estimate& control, const Estimate& treatment, double alpha);

/// The interval of the relative lift that needs no linear approximation, so that it holds for a control near 0, too.
///
/// Source   Fieller 1954, with Satterthwaite's degrees of freedom.
/// Errors   as above; FailedPrecondition: control does not differ from 0 at `alpha`, so that the interval has no end.
absl::StatusOr<Interval> FiellerLift(const Estimate& control, const Estimate& treatment, double alpha);

}  // namespace bowerbird::experiment::stats
