#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "experiment/ope/slate.h"

namespace bowerbird::experiment::ope {

/// How much more often the target shows what was shown: one weight a logged position.
///
/// Data  marginal: target / logged at each position alone. Conditional: the product of these ratios over the slate's
///       positions from its first to this one (prefix weights). Slate s has values[offsets[s], offsets[s + 1]).
struct Weights {
  std::vector<size_t> offsets;
  std::vector<double> values;  ///< cut at the bound, if there was one
  std::vector<double> uncut;   ///< as the propensities say

  std::span<const double> of(size_t slate) const {
    return std::span(values).subspan(offsets[slate], offsets[slate + 1] - offsets[slate]);
  }
};

/// `slates` have passed CheckSlates for `kind`. A prefix weight is cut as a whole, after the product.
Weights WeighSlates(std::span<const LoggedSlate> slates, PropensityKind kind, std::optional<double> weight_max);

}  // namespace bowerbird::experiment::ope
