#pragma once

#include "absl/status/statusor.h"
#include "experiment/stats/compare.h"
#include "experiment/stats/estimate.h"

namespace bowerbird::experiment::stats {

/// Units in two layers at once, by their arms in the first and the second.
struct TwoLayers {
  Estimate control_control, control_treatment;
  Estimate treatment_control, treatment_treatment;
};

/// Whether the first layer's treatment does something else where the second layer's is on: difference of differences,
/// (tt - ct) - (tc - cc). The effect is what one adds to the other; 0 means that both may be read by themselves.
///
/// Source   z test of a linear contrast, with Satterthwaite's degrees of freedom for small cells.
/// Errors   those of TestAgainstZero, and of Check(Estimate) by the name of the cell.
absl::StatusOr<Comparison> CheckInteraction(const TwoLayers& cells, double alpha);

}  // namespace bowerbird::experiment::stats
