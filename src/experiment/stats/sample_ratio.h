#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::experiment::stats {

/// Whether the arms got the units that their weights say. Where they did not, assignment or logging is broken and no
/// other figure of the experiment can be trusted.
struct SampleRatio {
  std::vector<double> expected;  ///< units an arm
  double chi_squared = 0;
  double p_value = 1;  ///< an alarm below 0.001 is usual: the question is asked of each experiment each day
};

/// Pearson's chi-square of counts against weights, with arms - 1 degrees of freedom.
///
/// Data     units by arm; declared weights in the same order, above 0, in any unit. An arm that gets nobody is left
/// out. Source   Fabijan et al. 2019, "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments". Errors
/// InvalidArgument: fewer than two arms, another number of weights, or a weight that is not above 0.
///          FailedPrecondition: an arm expects fewer than five units, for which chi-square is too coarse.
absl::StatusOr<SampleRatio> CheckSampleRatio(std::span<const uint64_t> counts, std::span<const double> weights);

}  // namespace bowerbird::experiment::stats
