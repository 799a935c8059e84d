#include "experiment/stats/sequential.h"

#include <algorithm>
#include <cmath>

#include "base/status_macros.h"
#include "experiment/stats/input.h"

namespace bowerbird::experiment::stats {
namespace {

double CautiousVariance(const Proportion& proportion) {
  const double trials = static_cast<double>(proportion.trials);
  const double rate = (static_cast<double>(proportion.successes) + 1) / (trials + 2);
  return rate * (1 - rate) / trials;
}

}  // namespace

double SequentialPlan::rho() const {
  const double evidence = -2 * std::log(alpha);
  return std::sqrt((evidence + std::log(evidence + 1)) / observations_target);
}

double BalancedObservations(uint64_t control, uint64_t treatment) {
  const double c = static_cast<double>(control), t = static_cast<double>(treatment);
  return c + t > 0 ? 4 * c / (c + t) * t : 0;
}

absl::StatusOr<Comparison> LookAt(const Estimate& effect, double observations, const SequentialPlan& plan) {
  RETURN_IF_ERROR(CheckInsideUnit("alpha", plan.alpha));
  RETURN_IF_ERROR(CheckPositive("observations_target", plan.observations_target));
  RETURN_IF_ERROR(CheckPositive("observations", observations));
  RETURN_IF_ERROR(Check("effect", effect));
  if (effect.variance == 0) {
    return absl::FailedPreconditionError("variance of the effect is 0; expected values that vary");
  }
  const double rho = plan.rho();
  const double g = observations * rho * rho;
  RETURN_IF_ERROR(CheckPositive("observations rho^2", g));
  const double z = effect.value / effect.standard_error();
  const double log_evidence = z * z * (g / (1 + g)) / 2 - std::log1p(g) / 2;
  const double reach =
      effect.standard_error() * std::sqrt(2 * (1 + 1 / g) * (std::log1p(g) / 2 - std::log(plan.alpha)));
  ASSIGN_OR_RETURN(const Interval interval, IntervalAround(effect.value, reach));
  return Comparison{effect, interval, std::min(1.0, std::exp(-log_evidence))};
}

absl::StatusOr<Comparison> LookAtMeans(const Moments& control, const Moments& treatment, const SequentialPlan& plan) {
  ASSIGN_OR_RETURN(const Estimate control_mean, MeanOf("control", control));
  ASSIGN_OR_RETURN(const Estimate treatment_mean, MeanOf("treatment", treatment));
  ASSIGN_OR_RETURN(const Estimate difference, DifferenceOf(control_mean, treatment_mean));
  return LookAt(difference, BalancedObservations(control.count, treatment.count), plan);
}

absl::StatusOr<Comparison> LookAtProportions(const Proportion& control, const Proportion& treatment,
                                             const SequentialPlan& plan) {
  RETURN_IF_ERROR(Check("control", control));
  RETURN_IF_ERROR(Check("treatment", treatment));
  const Estimate difference{treatment.rate() - control.rate(), CautiousVariance(control) + CautiousVariance(treatment)};
  return LookAt(difference, BalancedObservations(control.trials, treatment.trials), plan);
}

}  // namespace bowerbird::experiment::stats
