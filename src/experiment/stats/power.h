#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

namespace bowerbird::experiment::stats {

/// What an experiment should be able to tell.
struct PowerPlan {
  double alpha = 0.05;            ///< in (0, 1): two-sided
  double power = 0.8;             ///< in (alpha / 2, 1): chance to find the effect where it is, in its own direction
  double treatment_share = 0.5;   ///< in (0, 1): of the units
  double variance_reduction = 0;  ///< in [0, 1): by CUPED or strata (CupedMeans::variance_reduction)
};

struct ArmSizes {
  uint64_t control = 0, treatment = 0;  ///< units
};

/// How many units, which effect, how long: for a test of two arms at a fixed horizon.
///
/// Units    effects are absolute, in the metric's units, of either sign; sizes are units a whole experiment.
/// Source   normal approximation, the power to err in the direction left out: Fleiss, Levin, Paik 2003, chapter 4, for
///          rates (pooled variance where there is no effect, their own where there is, as CompareProportions tests).
/// Errors   InvalidArgument: a value outside of the range that is stated, or more than 1e15 units.

/// standard_deviation: of one unit, above 0. effect: not 0.
absl::StatusOr<ArmSizes> SizesForMeans(double standard_deviation, double effect, const PowerPlan& plan);

/// Units that are each their own control: of a mean of differences, such as of users who were shown both arms on one
/// page. standard_deviation: of one unit's difference, above 0. effect: not 0. The plan's treatment_share is not asked.
absl::StatusOr<uint64_t> UnitsForPaired(double standard_deviation, double effect, const PowerPlan& plan);

/// baseline: the control's rate, in (0, 1); baseline + effect in (0, 1), effect not 0.
absl::StatusOr<ArmSizes> SizesForProportions(double baseline, double effect, const PowerPlan& plan);

/// The smallest effect that so many units find with the plan's power; its treatment_share is not asked. Above 0.
/// InvalidArgument: an arm without units.
absl::StatusOr<double> DetectableMean(double standard_deviation, const ArmSizes& sizes, const PowerPlan& plan);

/// The same for a rise of a rate. FailedPrecondition: no rise below 1 would be found.
absl::StatusOr<double> DetectableProportion(double baseline, const ArmSizes& sizes, const PowerPlan& plan);

/// Whole days until so many units have come in, if `daily_units` new ones enter the experiment each day, above 0.
/// Fewer do later on, as those who come often are in already: take the mean of as many days as the answer has.
absl::StatusOr<uint64_t> DurationDays(const ArmSizes& sizes, double daily_units);

}  // namespace bowerbird::experiment::stats
