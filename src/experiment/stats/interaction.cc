#include "experiment/stats/interaction.h"

#include <array>

#include "base/status_macros.h"

namespace bowerbird::experiment::stats {

absl::StatusOr<Comparison> CheckInteraction(const TwoLayers& cells, double alpha) {
  RETURN_IF_ERROR(Check("control_control", cells.control_control));
  RETURN_IF_ERROR(Check("control_treatment", cells.control_treatment));
  RETURN_IF_ERROR(Check("treatment_control", cells.treatment_control));
  RETURN_IF_ERROR(Check("treatment_treatment", cells.treatment_treatment));
  ASSIGN_OR_RETURN(const Estimate difference, Combine(std::array{cells.treatment_treatment, cells.control_treatment,
                                                                 cells.treatment_control, cells.control_control},
                                                      std::array{1.0, -1.0, -1.0, 1.0}));
  return TestAgainstZero(difference, alpha);
}

}  // namespace bowerbird::experiment::stats
