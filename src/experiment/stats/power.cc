#include "experiment/stats/power.h"

#include <algorithm>
#include <cmath>

#include "base/status_macros.h"
#include "experiment/stats/distributions.h"
#include "experiment/stats/input.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {
namespace {

constexpr double kUnitsMax = 1e15;

absl::Status CheckPlan(const PowerPlan& plan) {
  RETURN_IF_ERROR(CheckInsideUnit("alpha", plan.alpha));
  RETURN_IF_ERROR(CheckInsideUnit("treatment_share", plan.treatment_share));
  if (!(plan.power > plan.alpha / 2 && plan.power < 1)) {
    return absl::InvalidArgumentError(fmt::format(
        "power is {}; expected a number above {}, which is alpha / 2, and below 1", plan.power, plan.alpha / 2));
  }
  if (plan.variance_reduction >= 0 && plan.variance_reduction < 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("variance_reduction is {}; expected 0 or above, and below 1", plan.variance_reduction));
}

absl::Status CheckSizes(const ArmSizes& sizes) {
  RETURN_IF_ERROR(CheckPositive("sizes.control", static_cast<double>(sizes.control)));
  return CheckPositive("sizes.treatment", static_cast<double>(sizes.treatment));
}

/// Standard errors of a difference with one unit in all, of which a share is the treatment's: where there is no effect,
/// and where there is. With n units they are 1 / sqrt(n) of that.
struct UnitErrors {
  double without = 0, with = 0;
};

UnitErrors OfMeans(double standard_deviation, double share, double reduction) {
  const double error = standard_deviation * std::sqrt((1 - reduction) / share / (1 - share));
  return {error, error};
}

UnitErrors OfProportions(double control, double treatment, double share, double reduction) {
  const double pooled = (1 - share) * control + share * treatment;
  const double left = 1 - reduction;
  return {std::sqrt(left * pooled * (1 - pooled) / share / (1 - share)),
          std::sqrt(left * (control * (1 - control) / (1 - share) + treatment * (1 - treatment) / share))};
}

/// effect sqrt(units) at which the test finds it with the plan's power.
double Needed(const UnitErrors& errors, const PowerPlan& plan) {
  return NormalQuantile(1 - plan.alpha / 2) * errors.without + NormalQuantile(plan.power) * errors.with;
}

absl::StatusOr<double> UnitsFor(const UnitErrors& errors, double effect, const PowerPlan& plan) {
  const double root = Needed(errors, plan) / std::abs(effect);
  const double units = root * root;
  if (units <= kUnitsMax) return units;
  return absl::InvalidArgumentError(fmt::format(
      "effect is {}; expected one that {} units can find, this one takes {:.3g}", effect, kUnitsMax, units));
}

absl::StatusOr<ArmSizes> SizesFor(const UnitErrors& errors, double effect, const PowerPlan& plan) {
  ASSIGN_OR_RETURN(const double units, UnitsFor(errors, effect, plan));
  return ArmSizes{static_cast<uint64_t>(std::ceil(units * (1 - plan.treatment_share))),
                  static_cast<uint64_t>(std::ceil(units * plan.treatment_share))};
}

absl::Status CheckEffect(double effect) {
  RETURN_IF_ERROR(CheckFinite("effect", effect));
  return effect != 0 ? absl::OkStatus() : absl::InvalidArgumentError("effect is 0; expected a number that is not");
}

}  // namespace

absl::StatusOr<ArmSizes> SizesForMeans(double standard_deviation, double effect, const PowerPlan& plan) {
  RETURN_IF_ERROR(CheckPlan(plan));
  RETURN_IF_ERROR(CheckPositive("standard_deviation", standard_deviation));
  RETURN_IF_ERROR(CheckEffect(effect));
  return SizesFor(OfMeans(standard_deviation, plan.treatment_share, plan.variance_reduction), effect, plan);
}

absl::StatusOr<uint64_t> UnitsForPaired(double standard_deviation, double effect, const PowerPlan& plan) {
  RETURN_IF_ERROR(CheckPlan(plan));
  RETURN_IF_ERROR(CheckPositive("standard_deviation", standard_deviation));
  RETURN_IF_ERROR(CheckEffect(effect));
  const double error = standard_deviation * std::sqrt(1 - plan.variance_reduction);
  ASSIGN_OR_RETURN(const double units, UnitsFor({error, error}, effect, plan));
  return static_cast<uint64_t>(std::ceil(units));
}

absl::StatusOr<ArmSizes> SizesForProportions(double baseline, double effect, const PowerPlan& plan) {
  RETURN_IF_ERROR(CheckPlan(plan));
  RETURN_IF_ERROR(CheckInsideUnit("baseline", baseline));
  RETURN_IF_ERROR(CheckEffect(effect));
  RETURN_IF_ERROR(CheckInsideUnit("baseline + effect", baseline + effect));
  return SizesFor(OfProportions(baseline, baseline + effect, plan.treatment_share, plan.variance_reduction), effect,
                  plan);
}

absl::StatusOr<double> DetectableMean(double standard_deviation, const ArmSizes& sizes, const PowerPlan& plan) {
  RETURN_IF_ERROR(CheckPlan(plan));
  RETURN_IF_ERROR(CheckPositive("standard_deviation", standard_deviation));
  RETURN_IF_ERROR(CheckSizes(sizes));
  const double treatment = static_cast<double>(sizes.treatment);
  const double units = static_cast<double>(sizes.control) + treatment;
  const double effect =
      Needed(OfMeans(standard_deviation, treatment / units, plan.variance_reduction), plan) / std::sqrt(units);
  RETURN_IF_ERROR(CheckPositive("the detectable effect", effect));
  return effect;
}

absl::StatusOr<double> DetectableProportion(double baseline, const ArmSizes& sizes, const PowerPlan& plan) {
  RETURN_IF_ERROR(CheckPlan(plan));
  RETURN_IF_ERROR(CheckInsideUnit("baseline", baseline));
  RETURN_IF_ERROR(CheckSizes(sizes));
  const double treatment = static_cast<double>(sizes.treatment);
  const double units = static_cast<double>(sizes.control) + treatment;
  const auto is_found = [&](double rise) {
    const UnitErrors errors =
        OfProportions(baseline, std::min(1.0, baseline + rise), treatment / units, plan.variance_reduction);
    return rise * std::sqrt(units) >= Needed(errors, plan);
  };
  double low = 0, high = 1 - baseline;
  if (!is_found(high)) {
    return absl::FailedPreconditionError(fmt::format("sizes are {} and {}; expected enough to find a rise from {} to 1",
                                                     sizes.control, sizes.treatment, baseline));
  }
  // Halving until there is no double between.
  for (double middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2) {
    (is_found(middle) ? high : low) = middle;
  }
  return high;
}

absl::StatusOr<uint64_t> DurationDays(const ArmSizes& sizes, double daily_units) {
  RETURN_IF_ERROR(CheckPositive("daily_units", daily_units));
  RETURN_IF_ERROR(CheckSizes(sizes));
  const double days =
      std::ceil((static_cast<double>(sizes.control) + static_cast<double>(sizes.treatment)) / daily_units);
  if (days <= kUnitsMax) return static_cast<uint64_t>(days);
  return absl::InvalidArgumentError(
      fmt::format("daily_units is {}; expected more, these take {} days", daily_units, days));
}

}  // namespace bowerbird::experiment::stats
