#include "experiment/verdict/power.h"

#include <fmt/format.h>

#include <cmath>

#include "base/status_macros.h"
#include "experiment/stats/power.h"
#include "experiment/verdict/arm_values.h"
#include "experiment/verdict/verdict.h"

namespace bowerbird::experiment::verdict {

absl::StatusOr<v1::ExperimentPower> PowerOf(const config::Metric& metric, const metrics::Statistics& history,
                                            uint32_t days, double effect) {
  if (!(effect > 0) || !std::isfinite(effect))
    return absl::InvalidArgumentError(fmt::format("effect: found {}; expected a relative effect above 0", effect));
  metrics::Statistics everybody = history;
  everybody.arms = 1;
  ASSIGN_OR_RETURN(const ArmValues adjusted, ValuesOf(everybody, metric, 0));
  const stats::Estimate& value = adjusted.arms[0];
  const auto units = static_cast<double>(adjusted.units[0]);
  if (adjusted.units[0] < kUnitsMin) {
    return absl::FailedPreconditionError(
        fmt::format("{} users did something in these days, fewer than {}", adjusted.units[0], kUnitsMin));
  }
  // Of one user, as CUPED leaves it; the part that it took is put back for who goes without.
  const double deviation = std::sqrt(value.variance * units);
  if (!(deviation > 0) || value.value == 0) {
    return absl::FailedPreconditionError(fmt::format(
        "{} is {} for everybody in these days: there is no effect relative to it", metric.name, value.value));
  }
  const double plain = deviation / std::sqrt(1 - adjusted.variance_reduction);
  const double absolute = effect * std::abs(value.value);
  ASSIGN_OR_RETURN(const stats::ArmSizes sizes, stats::SizesForMeans(deviation, absolute, {}));
  ASSIGN_OR_RETURN(const stats::ArmSizes without, stats::SizesForMeans(plain, absolute, {}));
  ASSIGN_OR_RETURN(const double detectable,
                   stats::DetectableMean(deviation, {adjusted.units[0] / 2, adjusted.units[0] / 2}, {}));
  ASSIGN_OR_RETURN(const uint64_t days_needed, stats::DurationDays(sizes, units / days));
  v1::ExperimentPower power;
  power.set_metric(metric.name);
  power.set_days(days);
  power.set_units(adjusted.units[0]);
  power.set_baseline(value.value);
  power.set_standard_deviation(plain);
  power.set_variance_reduction(adjusted.variance_reduction);
  power.set_effect(effect);
  power.set_units_needed(sizes.control + sizes.treatment);
  power.set_units_needed_without_cuped(without.control + without.treatment);
  power.set_detectable(detectable / std::abs(value.value));
  power.set_days_needed(days_needed);
  return power;
}

}  // namespace bowerbird::experiment::verdict
