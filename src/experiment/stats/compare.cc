#include "experiment/stats/compare.h"

#include <cmath>

#include "base/status_macros.h"
#include "experiment/stats/distributions.h"
#include "experiment/stats/input.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {
namespace {

absl::Status NothingVaries() {
  return absl::FailedPreconditionError("variance of the effect is 0; expected values that vary");
}

}  // namespace

absl::StatusOr<Interval> IntervalAround(double value, double reach) {
  RETURN_IF_ERROR(CheckFinite("the low end of the interval", value - reach));
  RETURN_IF_ERROR(CheckFinite("the high end of the interval", value + reach));
  return Interval{value - reach, value + reach};
}

absl::StatusOr<Comparison> TestAgainstZero(const Estimate& effect, double alpha) {
  RETURN_IF_ERROR(CheckInsideUnit("alpha", alpha));
  RETURN_IF_ERROR(Check("effect", effect));
  if (effect.variance == 0) return NothingVaries();
  const double error = effect.standard_error();
  const double reach = StudentTwoSidedCritical(alpha, effect.degrees_of_freedom) * error;
  ASSIGN_OR_RETURN(const Interval interval, IntervalAround(effect.value, reach));
  return Comparison{effect, interval, StudentTwoSidedP(effect.value / error, effect.degrees_of_freedom)};
}

absl::StatusOr<Comparison> CompareMeans(const Moments& control, const Moments& treatment, double alpha) {
  ASSIGN_OR_RETURN(const Estimate control_mean, MeanOf("control", control));
  ASSIGN_OR_RETURN(const Estimate treatment_mean, MeanOf("treatment", treatment));
  ASSIGN_OR_RETURN(const Estimate difference, DifferenceOf(control_mean, treatment_mean));
  return TestAgainstZero(difference, alpha);
}

absl::StatusOr<Comparison> CompareProportions(const Proportion& control, const Proportion& treatment, double alpha) {
  ASSIGN_OR_RETURN(const Estimate control_rate, RateOf("control", control));
  ASSIGN_OR_RETURN(const Estimate treatment_rate, RateOf("treatment", treatment));
  ASSIGN_OR_RETURN(const Estimate difference, DifferenceOf(control_rate, treatment_rate));
  RETURN_IF_ERROR(CheckInsideUnit("alpha", alpha));
  const double n_control = static_cast<double>(control.trials), n_treatment = static_cast<double>(treatment.trials);
  const double pooled =
      (static_cast<double>(control.successes) + static_cast<double>(treatment.successes)) / (n_control + n_treatment);
  const double variance_if_equal = pooled * (1 - pooled) * (1 / n_control + 1 / n_treatment);
  if (variance_if_equal == 0) return NothingVaries();
  const double infinite = difference.degrees_of_freedom;
  const double reach = StudentTwoSidedCritical(alpha, infinite) * difference.standard_error();
  ASSIGN_OR_RETURN(const Interval interval, IntervalAround(difference.value, reach));
  return Comparison{difference, interval, StudentTwoSidedP(difference.value / std::sqrt(variance_if_equal), infinite)};
}

absl::StatusOr<Interval> ExactInterval(const Proportion& proportion, double alpha) {
  RETURN_IF_ERROR(CheckInsideUnit("alpha", alpha));
  RETURN_IF_ERROR(Check("proportion", proportion));
  const double successes = static_cast<double>(proportion.successes);
  const double failures = static_cast<double>(proportion.trials - proportion.successes);
  return Interval{successes > 0 ? BetaQuantile(alpha / 2, successes, failures + 1) : 0,
                  failures > 0 ? BetaQuantile(1 - alpha / 2, successes + 1, failures) : 1};
}

absl::StatusOr<Comparison> CompareRatios(const BivariateMoments& control, const BivariateMoments& treatment,
                                         double alpha) {
  ASSIGN_OR_RETURN(const Estimate control_ratio, RatioOf("control", control));
  ASSIGN_OR_RETURN(const Estimate treatment_ratio, RatioOf("treatment", treatment));
  ASSIGN_OR_RETURN(const Estimate difference, DifferenceOf(control_ratio, treatment_ratio));
  return TestAgainstZero(difference, alpha);
}

absl::StatusOr<Comparison> CompareLift(const Estimate& control, const Estimate& treatment, double alpha) {
  ASSIGN_OR_RETURN(const Estimate lift, LiftOf(control, treatment));
  return TestAgainstZero(lift, alpha);
}

absl::StatusOr<Interval> FiellerLift(const Estimate& control, const Estimate& treatment, double alpha) {
  RETURN_IF_ERROR(CheckInsideUnit("alpha", alpha));
  ASSIGN_OR_RETURN(const Estimate difference, DifferenceOf(control, treatment));
  if (difference.variance == 0) return NothingVaries();
  const double critical = StudentTwoSidedCritical(alpha, difference.degrees_of_freedom);
  // All relative to control: its own uncertainty, squared and in units of alpha, must stay below 1.
  const double control_error = critical * control.standard_error() / std::abs(control.value);
  const double g = control_error * control_error;
  if (!(g < 1)) {
    return absl::FailedPreconditionError(
        fmt::format("control is {} +- {}; expected a value that differs from 0 at alpha {}", control.value,
                    control.standard_error(), alpha));
  }
  const double ratio = treatment.value / control.value;
  const double treatment_error = critical * treatment.standard_error() / std::abs(control.value);
  const double reach = std::sqrt(treatment_error * treatment_error * (1 - g) + ratio * ratio * g) / (1 - g);
  const Interval interval{ratio / (1 - g) - reach - 1, ratio / (1 - g) + reach - 1};
  RETURN_IF_ERROR(CheckFinite("the low end of the lift", interval.low));
  RETURN_IF_ERROR(CheckFinite("the high end of the lift", interval.high));
  return interval;
}

}  // namespace bowerbird::experiment::stats
