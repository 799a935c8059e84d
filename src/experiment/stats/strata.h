#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "experiment/stats/estimate.h"
#include "experiment/stats/moments.h"

namespace bowerbird::experiment::stats {

/// Units that are alike (a country, a phase of a ramp), by arm.
struct Stratum {
  double weight = 0;           ///< share of the population, in any unit; above 0
  std::vector<Estimate> arms;  ///< in one order in all strata
};

/// A stratum that weighs as many units as it has in all arms. Errors: those of Check(Moments), named "arms[i]".
absl::StatusOr<Stratum> PooledStratum(std::span<const Moments> arms);

/// Post-stratified values of the arms: in each the strata count by their weights, not by how many of their units the
/// arm happens to have. That takes the variance between strata away; and where the split changed during a ramp, with
/// each phase a stratum, it keeps an arm from being compared on other days than its control (Simpson's paradox).
///
/// Source   Miratrix, Sekhon, Yu 2013, "Adjusting treatment effect estimates by post-stratification in randomized
///          experiments": sum of w_s m_s, sum of w_s^2 v_s; given how many units came to each stratum.
/// Errors   InvalidArgument: no strata, a weight that is not above 0, another number of arms, or those of
///          Check(Estimate).
absl::StatusOr<std::vector<Estimate>> PostStratify(std::span<const Stratum> strata);

}  // namespace bowerbird::experiment::stats
