#include "experiment/stats/novelty.h"

#include "base/status_macros.h"
#include "experiment/stats/input.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {

absl::StatusOr<Comparison> TrendOf(std::span<const DayEffect> days, double alpha) {
  double precision = 0, weighted_day = 0;
  for (size_t i = 0; i < days.size(); ++i) {
    RETURN_IF_ERROR(CheckFinite(fmt::format("days[{}].day", i), days[i].day));
    RETURN_IF_ERROR(Check(fmt::format("days[{}].effect", i), days[i].effect));
    if (days[i].effect.variance == 0) {
      return absl::FailedPreconditionError(fmt::format("days[{}].effect.variance is 0; expected values that vary", i));
    }
    precision += 1 / days[i].effect.variance;
    weighted_day += days[i].day / days[i].effect.variance;
  }
  const double middle = weighted_day / precision;
  double spread = 0, rise = 0;
  for (const DayEffect& day : days) {
    const double apart = day.day - middle;
    spread += apart * apart / day.effect.variance;
    rise += apart * day.effect.value / day.effect.variance;
  }
  if (!(spread > 0)) {
    return absl::FailedPreconditionError(
        fmt::format("days: found {}, of no two different days; expected two or more", days.size()));
  }
  return TestAgainstZero({rise / spread, 1 / spread}, alpha);
}

}  // namespace bowerbird::experiment::stats
