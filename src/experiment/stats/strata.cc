#include "experiment/stats/strata.h"

#include "base/status_macros.h"
#include "experiment/stats/input.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {

absl::StatusOr<Stratum> PooledStratum(std::span<const Moments> arms) {
  Stratum stratum;
  for (size_t i = 0; i < arms.size(); ++i) {
    ASSIGN_OR_RETURN(const Estimate mean, MeanOf(fmt::format("arms[{}]", i), arms[i]));
    stratum.arms.push_back(mean);
    stratum.weight += static_cast<double>(arms[i].count);
  }
  return stratum;
}

absl::StatusOr<std::vector<Estimate>> PostStratify(std::span<const Stratum> strata) {
  if (strata.empty()) return absl::InvalidArgumentError("strata: found none; expected one or more");
  const size_t arm_count = strata[0].arms.size();
  double total = 0;
  for (size_t s = 0; s < strata.size(); ++s) {
    RETURN_IF_ERROR(CheckPositive(fmt::format("strata[{}].weight", s), strata[s].weight));
    if (strata[s].arms.size() != arm_count) {
      return absl::InvalidArgumentError(fmt::format("strata[{}].arms: found {}; expected {}, as in the first stratum",
                                                    s, strata[s].arms.size(), arm_count));
    }
    total += strata[s].weight;
  }
  std::vector<double> weights;
  for (const Stratum& stratum : strata) weights.push_back(stratum.weight / total);
  std::vector<Estimate> arms;
  for (size_t a = 0; a < arm_count; ++a) {
    std::vector<Estimate> means;
    for (size_t s = 0; s < strata.size(); ++s) {
      RETURN_IF_ERROR(Check(fmt::format("strata[{}].arms[{}]", s, a), strata[s].arms[a]));
      means.push_back(strata[s].arms[a]);
    }
    ASSIGN_OR_RETURN(const Estimate arm, Combine(means, weights));
    arms.push_back(arm);
  }
  return arms;
}

}  // namespace bowerbird::experiment::stats
