#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "config/metrics.h"
#include "experiment/metrics/statistics.h"
#include "experiment/stats/estimate.h"
#include "experiment/stats/moments.h"

namespace bowerbird::experiment::verdict {

/// What a metric is in each arm.
struct ArmValues {
  std::vector<stats::Estimate> arms;  ///< of the experiment, in its order
  std::vector<uint64_t> units;        ///< that each was estimated from
  double variance_reduction = 0;      ///< by CUPED
};

/// Phases with fewer units than this in an arm are taken together with the next one.
inline constexpr uint64_t kStratumUnitsMin = 100;

/// A metric's value and covariate as two values a unit. Of a ratio they are linear in the sums around the arm's own
/// ratio, scaled so that the mean is the ratio and its variance is the delta method's.
///
/// Source   Deng, Xu, Kohavi, Walker 2013, appendix B (CUPED on ratios).
stats::BivariateMoments WithCovariate(const metrics::JointMoments& moments, config::Metric::Kind kind);

/// The metric that is the `index`-th, adjusted by CUPED within each phase of the ramp, the phases weighed by their
/// units of all arms (of a ratio by what it is counted against). Quantiles are of all phases together, and not
/// adjusted.
///
/// Errors   FailedPrecondition: too few units or values in an arm; InvalidArgument: numbers that are not finite.
absl::StatusOr<ArmValues> ValuesOf(const metrics::Statistics& statistics, const config::Metric& metric, size_t index);

/// The same of cells by arm that were cut out otherwise: a day, a segment. Without covariates where `adjust` is false.
absl::StatusOr<ArmValues> ValuesOf(const std::vector<metrics::Cell>& arms, const config::Metric& metric, size_t index,
                                   bool adjust);

}  // namespace bowerbird::experiment::verdict
