#include "experiment/stats/heterogeneity.h"

#include <algorithm>

#include "base/status_macros.h"
#include "experiment/stats/distributions.h"
#include "experiment/stats/input.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {

absl::StatusOr<Heterogeneity> CompareSegments(std::span<const Estimate> segments) {
  if (segments.size() < 2) {
    return absl::InvalidArgumentError(fmt::format("segments: found {}; expected two or more", segments.size()));
  }
  double precision = 0, weighted = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    RETURN_IF_ERROR(Check(fmt::format("segments[{}]", i), segments[i]));
    if (segments[i].variance == 0) {
      return absl::FailedPreconditionError(fmt::format("segments[{}].variance is 0; expected values that vary", i));
    }
    precision += 1 / segments[i].variance;
    weighted += segments[i].value / segments[i].variance;
  }
  Heterogeneity found;
  found.common = {weighted / precision, 1 / precision};
  RETURN_IF_ERROR(CheckFinite("the segments' common effect", found.common.value));
  for (const Estimate& segment : segments) {
    const double apart = segment.value - found.common.value;
    found.q += apart * apart / segment.variance;
  }
  RETURN_IF_ERROR(CheckFinite("Cochran's Q", found.q));
  const double freedom = static_cast<double>(segments.size() - 1);
  found.p_value = ChiSquaredTail(found.q, freedom);
  found.i_squared = found.q > 0 ? std::max(0.0, 1 - freedom / found.q) : 0;
  return found;
}

}  // namespace bowerbird::experiment::stats
