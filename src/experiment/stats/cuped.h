#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "experiment/stats/estimate.h"
#include "experiment/stats/moments.h"

namespace bowerbird::experiment::stats {

/// Means of all arms, adjusted for what units did before the experiment.
struct CupedMeans {
  double theta = 0;
  std::vector<Estimate> arms;  ///< as given
  /// Share of the variance of the metric that the covariate explains, in [0, 1]: an experiment needs that much fewer
  /// units. By the arms' units together.
  double variance_reduction = 0;
};

/// CUPED: mean(y) - theta (mean(x) - mean(x) of all arms), with one theta for all arms, so that their difference stays
/// the treatment's effect. theta is the slope within arms, as in a regression with a constant for each arm (ANCOVA): a
/// slope over the arms' units thrown together would take a part of the effect for the covariate's.
///
/// Data     of each arm y, the metric, and x, its covariate, which must be from before the unit entered (the same
/// metric
///          of the weeks before does best; 0 for units that were not there).
/// Source   Deng, Xu, Kohavi, Walker 2013, "Improving the Sensitivity of Online Controlled Experiments by Utilizing
///          Pre-Experiment Data". A covariate that does not vary changes nothing.
/// Errors   those of Check(BivariateMoments), named "arms[i]"; InvalidArgument: no arms.
absl::StatusOr<CupedMeans> AdjustByCovariate(std::span<const BivariateMoments> arms);

}  // namespace bowerbird::experiment::stats
