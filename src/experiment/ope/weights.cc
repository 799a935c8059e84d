#include "experiment/ope/weights.h"

#include <algorithm>

namespace bowerbird::experiment::ope {

Weights WeighSlates(std::span<const LoggedSlate> slates, PropensityKind kind, std::optional<double> weight_max) {
  const double bound = weight_max.value_or(kMagnitudeMax);
  Weights weights{.offsets = {0}};
  for (const LoggedSlate& slate : slates) {
    double above = 1;
    for (const LoggedPosition& shown : slate.positions) {
      const double weight = std::min(above * (Of(shown.target, kind) / Of(shown.logged, kind)), kMagnitudeMax);
      if (kind == PropensityKind::kConditional) above = weight;
      weights.uncut.push_back(weight);
      weights.values.push_back(std::min(weight, bound));
    }
    weights.offsets.push_back(weights.values.size());
  }
  return weights;
}

}  // namespace bowerbird::experiment::ope
