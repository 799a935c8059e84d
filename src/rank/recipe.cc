#include "rank/recipe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

namespace bowerbird::rank {
namespace {

using config::GeneratorKind;

struct Definition {
  Feature feature;
  std::string_view name;
  double weight;
  std::optional<GeneratorKind> kind = std::nullopt;  ///< the generators that the feature stands for
};
/// In the order of Feature.
constexpr std::array<Definition, kFeatures> kDefinitions = {{
    {Feature::kIals, "ials", 0.3, GeneratorKind::kIals},
    {Feature::kNear, "near", 0.7},
    {Feature::kSession, "session", 0.3},
    {Feature::kSessionCategory, "session_category", 0.3},
    {Feature::kCoOccurrence, "co_occurrence", 0.7, GeneratorKind::kCoOccurrence},
    {Feature::kSimilar, "similar", 4.0, GeneratorKind::kSimilar},
    {Feature::kAffinity, "affinity", 0.5},
    {Feature::kInterest, "interest", 1.4},
    {Feature::kInterestFine, "interest_fine", 1.1},
    {Feature::kTired, "tired", -0.2},
    {Feature::kQuality, "quality", 0.8},
    {Feature::kPopularity, "popularity", 0.5},
    {Feature::kPopular, "popular", 0.5, GeneratorKind::kPopular},
    {Feature::kTrending, "trending", 0.7, GeneratorKind::kTrending},
    {Feature::kFresh, "fresh", 0.35, GeneratorKind::kFresh},
    {Feature::kSeen, "seen", -0.5},
    {Feature::kUntrained, "untrained", 0.0},
    {Feature::kNext, "next", 2.0, GeneratorKind::kNext},
}};

/// A chance well below it says nothing.
constexpr double kNextChance = 0.005;

double WeightOf(const config::Surface& surface, std::string_view name) {
  const auto weight = surface.weights.find(name);
  return weight == surface.weights.end() ? 1 : weight->second;
}

}  // namespace

float NextValue(float chance) {
  const double share = chance / kNextChance;
  return static_cast<float>(0.5 * std::log1p(share * share));
}

Recipe Recipe::Of(const config::Config& config, const config::Surface& surface) {
  Recipe recipe;
  for (const std::string& name : surface.generators) {
    const config::Generator* generator = config.FindGenerator(name);
    if (generator == nullptr) continue;
    const GeneratorKind kind = generator->kind;
    recipe.kinds[At(kind)] = std::max(recipe.kinds[At(kind)], WeightOf(surface, name));
    recipe.personal |=
        kind == GeneratorKind::kIals || kind == GeneratorKind::kCoOccurrence || kind == GeneratorKind::kSimilar;
    if (kind == GeneratorKind::kFresh && recipe.fresh == nullptr) recipe.fresh = generator;
  }
  const double greatest = *std::max_element(recipe.kinds.begin(), recipe.kinds.end());
  for (const Definition& definition : kDefinitions) {
    double weight = definition.weight;
    if (definition.kind.has_value()) {
      weight *= greatest > 0 ? recipe.kinds[At(*definition.kind)] / greatest : 0;
    } else {
      weight *= recipe.personal ? WeightOf(surface, definition.name) : 0;
    }
    recipe.weights[At(definition.feature)] = weight;
  }
  return recipe;
}

float Recipe::Score(std::span<const float> features, std::span<const double> added) const {
  double sum = kBias;
  for (size_t f = 0; f < kFeatures; ++f) sum += weights[f] * features[f];
  for (size_t a = 0; a < added.size(); ++a) {
    const float value = features[kFeatures + a];
    if (!std::isnan(value)) sum += added[a] * value;
  }
  return static_cast<float>(1 / (1 + std::exp(-sum)));
}

double GeneratorShare(const config::Config& config, const config::Surface& surface, std::string_view generator) {
  const double greatest = Recipe::Of(config, surface).kinds[At(config.FindGenerator(generator)->kind)];
  return greatest > 0 ? WeightOf(surface, generator) / greatest : 0;
}

std::string_view FeatureName(Feature feature) { return kDefinitions[At(feature)].name; }

}  // namespace bowerbird::rank
