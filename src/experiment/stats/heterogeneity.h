#pragma once

#include <span>

#include "absl/status/statusor.h"
#include "experiment/stats/estimate.h"

namespace bowerbird::experiment::stats {

/// Whether an effect is the same in all segments, up to chance.
struct Heterogeneity {
  Estimate common;       ///< the effect if it is: the segments' by inverse variance
  double q = 0;          ///< Cochran's Q
  double p_value = 1;    ///< of a Q at least as large if it is
  double i_squared = 0;  ///< share of what differs that chance does not explain, in [0, 1)
};

/// Cochran's test over effects of segments that share no unit (countries, platforms), with segments - 1 degrees of
/// freedom. Segments that were looked at because they differ are found to differ.
///
/// Source   Cochran 1954; I^2 by Higgins, Thompson 2002.
/// Errors   InvalidArgument: fewer than two segments, or those of Check(Estimate), named "segments[i]".
///          FailedPrecondition: a variance is 0.
absl::StatusOr<Heterogeneity> CompareSegments(std::span<const Estimate> segments);

}  // namespace bowerbird::experiment::stats
