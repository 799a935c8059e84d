#include "rank/trained.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "rank/ranker.h"

namespace bowerbird::rank {

absl::StatusOr<Trained> Trained::Create(std::string version, model::TreeEnsemble trees,
                                        absl::FunctionRef<bool(std::string_view name)> can_add) {
  std::vector<std::string> known;
  for (size_t f = 0; f < kFeatures; ++f) known.emplace_back(FeatureName(static_cast<Feature>(f)));
  for (uint32_t& feature : trees.features) {
    const std::string& name = trees.feature_names[feature];
    auto at = std::find(known.begin(), known.end(), name);
    if (at == known.end() && can_add(name)) at = known.insert(known.end(), name);
    if (at == known.end()) {
      return absl::InvalidArgumentError(
          fmt::format("ranker {}: found feature \"{}\"; expected features that this program computes", version, name));
    }
    feature = static_cast<uint32_t>(at - known.begin());
  }
  std::vector<std::string> added(known.begin() + kFeatures, known.end());
  trees.feature_names = std::move(known);
  return Trained{std::move(version), std::move(trees), std::move(added)};
}

}  // namespace bowerbird::rank
