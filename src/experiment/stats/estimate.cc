#include "experiment/stats/estimate.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/status_macros.h"
#include "experiment/stats/input.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

double Estimate::standard_error() const { return std::sqrt(variance); }

absl::Status Check(std::string_view name, const Estimate& estimate) {
  RETURN_IF_ERROR(CheckFinite(fmt::format("{}.value", name), estimate.value));
  RETURN_IF_ERROR(CheckNotNegative(fmt::format("{}.variance", name), estimate.variance));
  if (estimate.degrees_of_freedom > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{}.degrees_of_freedom is {}; expected a number above 0", name, estimate.degrees_of_freedom));
}

absl::StatusOr<Estimate> MeanOf(std::string_view name, const Moments& moments) {
  RETURN_IF_ERROR(Check(name, moments));
  const double n = static_cast<double>(moments.count);
  return Estimate{moments.mean, moments.variance() / n, n - 1};
}

absl::StatusOr<Estimate> RateOf(std::string_view name, const Proportion& proportion) {
  RETURN_IF_ERROR(Check(name, proportion));
  const double rate = proportion.rate();
  return Estimate{rate, rate * (1 - rate) / static_cast<double>(proportion.trials)};
}

absl::StatusOr<Estimate> RatioOf(std::string_view name, const BivariateMoments& moments) {
  RETURN_IF_ERROR(Check(name, moments));
  if (moments.mean_x == 0) {
    return absl::FailedPreconditionError(fmt::format("{}.mean_x is 0; expected a denominator that is not", name));
  }
  const double n = static_cast<double>(moments.count);
  const double ratio = moments.mean_y / moments.mean_x;
  const double residual =
      moments.y().variance() - 2 * ratio * moments.covariance() + ratio * ratio * moments.x().variance();
  // Rounding may leave a little less than nothing where y is x times a constant.
  const Estimate estimate{ratio, std::max(0.0, residual) / n / moments.mean_x / moments.mean_x, n - 1};
  RETURN_IF_ERROR(Check(fmt::format("{}: mean_y / mean_x", name), estimate));
  return estimate;
}

absl::StatusOr<Estimate> Combine(std::span<const Estimate> estimates, std::span<const double> weights) {
  if (estimates.size() != weights.size()) {
    return absl::InvalidArgumentError(
        fmt::format("weights: found {}; expected one for each of {} estimates", weights.size(), estimates.size()));
  }
  Estimate sum;
  for (size_t i = 0; i < estimates.size(); ++i) {
    RETURN_IF_ERROR(Check(fmt::format("estimates[{}]", i), estimates[i]));
    RETURN_IF_ERROR(CheckFinite(fmt::format("weights[{}]", i), weights[i]));
    sum.value += weights[i] * estimates[i].value;
    sum.variance += weights[i] * weights[i] * estimates[i].variance;
  }
  RETURN_IF_ERROR(Check("the sum of estimates", sum));
  double inverse = 0;  // of the degrees of freedom; 0 where each is infinite or nothing varies
  for (size_t i = 0; i < estimates.size() && sum.variance > 0; ++i) {
    const double share = weights[i] * weights[i] * estimates[i].variance / sum.variance;
    inverse += share * share / estimates[i].degrees_of_freedom;
  }
  sum.degrees_of_freedom = inverse > 0 ? 1 / inverse : kInfinity;
  return sum;
}

absl::StatusOr<Estimate> DifferenceOf(const Estimate& control, const Estimate& treatment) {
  RETURN_IF_ERROR(Check("control", control));
  RETURN_IF_ERROR(Check("treatment", treatment));
  return Combine(std::array{control, treatment}, std::array{-1.0, 1.0});
}

absl::StatusOr<Estimate> LiftOf(const Estimate& control, const Estimate& treatment) {
  ASSIGN_OR_RETURN(const Estimate difference, DifferenceOf(control, treatment));
  if (control.value == 0) {
    return absl::FailedPreconditionError("control is 0; expected a value that something can be relative to");
  }
  const double ratio = treatment.value / control.value;
  const double variance = treatment.variance / control.value / control.value +
                          ratio * ratio * control.variance / control.value / control.value;
  const Estimate lift{difference.value / control.value, variance, difference.degrees_of_freedom};
  RETURN_IF_ERROR(Check("lift", lift));
  return lift;
}

}  // namespace bowerbird::experiment::stats
