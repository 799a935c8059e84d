#include "experiment/stats/posterior.h"

#include <algorithm>
#include <cmath>

#include "base/status_macros.h"
#include "experiment/stats/distributions.h"
#include "experiment/stats/input.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {

absl::StatusOr<Posterior> PosteriorOf(const Estimate& effect, const NormalPrior& prior, double alpha) {
  RETURN_IF_ERROR(CheckInsideUnit("alpha", alpha));
  RETURN_IF_ERROR(Check("effect", effect));
  RETURN_IF_ERROR(CheckFinite("prior.mean", prior.mean));
  if (!(prior.variance > 0)) {
    return absl::InvalidArgumentError(
        fmt::format("prior.variance is {}; expected a number above 0, infinite for a flat prior", prior.variance));
  }
  if (effect.variance == 0) {
    return absl::FailedPreconditionError("variance of the effect is 0; expected values that vary");
  }
  // Weights and not precisions, so that a flat prior is one case of all; both, so that neither is rounded away.
  const double weight_of_prior = 1 / (1 + prior.variance / effect.variance);
  const double weight_of_effect = 1 / (1 + effect.variance / prior.variance);
  Posterior posterior;
  posterior.mean = effect.value + weight_of_prior * (prior.mean - effect.value);
  posterior.standard_deviation = std::sqrt(effect.variance * weight_of_effect);
  RETURN_IF_ERROR(CheckFinite("the posterior's mean", posterior.mean));
  RETURN_IF_ERROR(CheckPositive("the posterior's standard deviation", posterior.standard_deviation));
  const double reach = NormalQuantile(1 - alpha / 2) * posterior.standard_deviation;
  ASSIGN_OR_RETURN(posterior.interval, IntervalAround(posterior.mean, reach));
  const double z = posterior.mean / posterior.standard_deviation;
  posterior.probability_above_0 = NormalCdf(z);
  // Of a tail that has nearly nothing, the difference may round below 0.
  const double edge = posterior.standard_deviation * NormalDensity(z);
  posterior.loss_of_treatment = std::max(0.0, edge - posterior.mean * NormalCdf(-z));
  posterior.loss_of_control = std::max(0.0, edge + posterior.mean * NormalCdf(z));
  return posterior;
}

}  // namespace bowerbird::experiment::stats
