#include "experiment/stats/cuped.h"

#include <algorithm>

#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {

absl::StatusOr<CupedMeans> AdjustByCovariate(std::span<const BivariateMoments> arms) {
  if (arms.empty()) return absl::InvalidArgumentError("arms: found none; expected one or more");
  double comoment = 0, m2_x = 0, m2_y = 0;
  Moments covariate;
  for (size_t i = 0; i < arms.size(); ++i) {
    RETURN_IF_ERROR(Check(fmt::format("arms[{}]", i), arms[i]));
    comoment += arms[i].comoment;
    m2_x += arms[i].m2_x;
    m2_y += arms[i].m2_y;
    covariate.Merge(arms[i].x());
  }
  CupedMeans adjusted;
  adjusted.theta = m2_x > 0 ? comoment / m2_x : 0;
  const double theta = adjusted.theta;
  double m2_left = 0;
  for (size_t i = 0; i < arms.size(); ++i) {
    const BivariateMoments& arm = arms[i];
    // Rounding may leave a little less than nothing where the covariate explains everything.
    const double m2 = std::max(0.0, arm.m2_y - 2 * theta * arm.comoment + theta * theta * arm.m2_x);
    m2_left += m2;
    ASSIGN_OR_RETURN(const Estimate mean, MeanOf(fmt::format("arms[{}], adjusted", i),
                                                 {arm.count, arm.mean_y - theta * (arm.mean_x - covariate.mean), m2}));
    adjusted.arms.push_back(mean);
  }
  adjusted.variance_reduction = m2_y > 0 ? std::clamp(1 - m2_left / m2_y, 0.0, 1.0) : 0;
  return adjusted;
}

}  // namespace bowerbird::experiment::stats
