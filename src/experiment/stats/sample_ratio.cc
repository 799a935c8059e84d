#include "experiment/stats/sample_ratio.h"

#include "base/status_macros.h"
#include "experiment/stats/distributions.h"
#include "experiment/stats/input.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {
namespace {

constexpr double kExpectedMin = 5;

}  // namespace

absl::StatusOr<SampleRatio> CheckSampleRatio(std::span<const uint64_t> counts, std::span<const double> weights) {
  if (counts.size() < 2 || weights.size() != counts.size()) {
    return absl::InvalidArgumentError(fmt::format(
        "weights: found {} for {} counts; expected one each, for two arms or more", weights.size(), counts.size()));
  }
  double weight = 0, units = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    RETURN_IF_ERROR(CheckPositive(fmt::format("weights[{}]", i), weights[i]));
    weight += weights[i];
    units += static_cast<double>(counts[i]);
  }
  RETURN_IF_ERROR(CheckFinite("the sum of weights", weight));
  SampleRatio ratio;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double expected = units * (weights[i] / weight);
    if (expected < kExpectedMin) {
      return absl::FailedPreconditionError(
          fmt::format("counts[{}]: {} units are due; expected {} or more", i, expected, kExpectedMin));
    }
    const double apart = static_cast<double>(counts[i]) - expected;
    ratio.chi_squared += apart * apart / expected;
    ratio.expected.push_back(expected);
  }
  ratio.p_value = ChiSquaredTail(ratio.chi_squared, static_cast<double>(counts.size() - 1));
  return ratio;
}

}  // namespace bowerbird::experiment::stats
