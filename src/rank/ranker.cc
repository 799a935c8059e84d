#include "rank/ranker.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/vector_math.h"

namespace bowerbird::rank {
namespace {

using config::GeneratorKind;

struct Definition {
  Feature feature;
  std::string_view name;
  double weight;
  std::optional<GeneratorKind> kind = std::nullopt;  ///< the generators that the feature stands for
};

/// The bias puts an ordinary candidate at a score of a few percent, where a sigmoid still multiplies.
constexpr double kBias = -2.5;
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

constexpr size_t kNearItems = 24;
constexpr double kNearHalfLife = 32;  ///< items
constexpr size_t kSessionItems = 8;
constexpr double kSessionHalfLife = 2;  ///< items
constexpr int64_t kSessionHalfLifeUs = int64_t{2} * 3600 * 1'000'000;
/// Impressions that the candidates' common rate is worth in an item's own.
constexpr double kQualityPrior = 20;
/// A chance well below it says nothing.
constexpr double kNextChance = 0.005;
constexpr size_t kBlock = 64;  ///< candidate rows that stay in the nearest cache

constexpr size_t At(Feature feature) { return static_cast<size_t>(feature); }
constexpr size_t At(GeneratorKind kind) { return static_cast<size_t>(kind); }

/// An item that the user acted on, as a direction.
struct Anchor {
  std::vector<float> direction;
  float near_weight = 0, session_weight = 0;
  uint32_t recent = 0;  ///< index in taste.recent
};

std::vector<Anchor> Anchors(const Request& request) {
  std::vector<Anchor> anchors;
  const size_t count = std::min(kNearItems, request.taste->recent.size());
  std::vector<float> scratch;
  for (size_t i = 0; i < count; ++i) {
    const retrieve::RecentItem& recent = request.taste->recent[i];
    const std::span<const float> factor = request.view->Factor(recent.item, &scratch);
    const double norm = factor.empty() ? 0 : std::sqrt(static_cast<double>(base::Dot(factor, factor)));
    if (!(norm > 0)) continue;
    Anchor anchor;
    anchor.recent = static_cast<uint32_t>(i);
    for (const float value : factor) anchor.direction.push_back(static_cast<float>(value / norm));
    const double value = ActionValue(recent.strength);
    const double age_us = static_cast<double>(std::max<int64_t>(0, request.now_us - recent.time_us));
    anchor.near_weight = static_cast<float>(std::sqrt(value) * std::exp2(-static_cast<double>(i) / kNearHalfLife));
    if (i < kSessionItems) {
      anchor.session_weight = static_cast<float>(value * std::exp2(-static_cast<double>(i) / kSessionHalfLife) *
                                                 std::exp2(-age_us / kSessionHalfLifeUs));
    }
    anchors.push_back(std::move(anchor));
  }
  return anchors;
}

/// kIals, kNear, kSession, kUntrained: what needs the candidates' factors.
void FactorFeatures(const Request& request, std::span<const Candidate> candidates, Ranked* ranked) {
  std::vector<float>* out = &ranked->features;
  const index::LiveView& view = *request.view;
  if (view.snapshot() == nullptr || view.snapshot()->dim() == 0) return;
  const size_t dim = view.snapshot()->dim();
  const std::vector<Anchor> anchors = Anchors(request);
  const bool user = !request.taste->factor.empty();
  if (!user && anchors.empty()) return;

  std::vector<float> rows(kBlock * dim), products(kBlock), inverse_norms(kBlock), scratch;
  for (size_t begin = 0; begin < candidates.size(); begin += kBlock) {
    const size_t count = std::min(kBlock, candidates.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      const std::span<float> row = std::span(rows).subspan(i * dim, dim);
      const std::span<const float> factor = view.Factor(candidates[begin + i].item, &scratch);
      if (factor.empty()) {
        std::fill(row.begin(), row.end(), 0.0f);
      } else {
        std::copy(factor.begin(), factor.end(), row.begin());
      }
      const double squared = base::Dot(row, row);
      inverse_norms[i] = squared > 0 ? static_cast<float>(1 / std::sqrt(squared)) : 0;
      (*out)[(begin + i) * kFeatures + At(Feature::kUntrained)] =
          view.FactorTrained(candidates[begin + i].item) ? 0 : 1;
    }
    const std::span<const float> block = std::span(rows).first(count * dim);
    const std::span<float> product = std::span(products).first(count);
    if (user) {
      base::MatrixVector(block, request.taste->factor, product);
      for (size_t i = 0; i < count; ++i) {
        const float units = product[i] / request.taste->factor_rms;
        (*out)[(begin + i) * kFeatures + At(Feature::kIals)] = std::clamp(units, -2.0f, 6.0f);
      }
    }
    for (const Anchor& anchor : anchors) {
      base::MatrixVector(block, anchor.direction, product);
      for (size_t i = 0; i < count; ++i) {
        const float cosine = std::max(0.0f, product[i] * inverse_norms[i]);
        float* features = out->data() + (begin + i) * kFeatures;
        if (cosine * anchor.near_weight > features[At(Feature::kNear)]) {
          features[At(Feature::kNear)] = cosine * anchor.near_weight;
          ranked->nearest[begin + i] = anchor.recent;
        }
        features[At(Feature::kSession)] += cosine * anchor.session_weight;
      }
    }
  }
}

void CategoryFeatures(const Request& request, const Interests& interests, const index::ItemHandle& item,
                      float* features) {
  const std::span<const uint64_t> categories = request.view->Categories(item);
  if (categories.empty()) return;
  double affinity = 0, session = 0;
  for (const uint64_t hash : categories) {
    const Interests::Category& category = interests.Of(hash);
    affinity += category.affinity;
    session += category.session;
  }
  const auto count = static_cast<double>(categories.size());
  features[At(Feature::kAffinity)] = static_cast<float>(affinity / count);
  features[At(Feature::kSessionCategory)] = static_cast<float>(session / count);
  const Interests::Lift lift = interests.LiftOf(categories);
  features[At(Feature::kInterest)] = static_cast<float>(lift.coarse);
  features[At(Feature::kInterestFine)] = static_cast<float>(lift.fine);
  features[At(Feature::kTired)] = static_cast<float>(std::log1p(interests.Of(categories.front()).tired));
}

/// kQuality, kPopularity: what everybody did with the candidates.
void CrowdFeatures(const Request& request, std::span<const Candidate> candidates, std::vector<float>* out) {
  std::vector<const state::ItemCounts*> counts(candidates.size());
  double weights = 0, impressions = 0, greatest = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    counts[i] = request.items->Find(candidates[i].item.key);
    if (counts[i] == nullptr) continue;
    weights += counts[i]->weight;
    // Where clients send no impressions, an action at least was one.
    impressions += static_cast<double>(std::max(counts[i]->impressions, counts[i]->actions));
    greatest = std::max(greatest, counts[i]->weight);
  }
  const double rate = impressions > 0 ? weights / impressions : 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (counts[i] == nullptr) continue;
    float* features = out->data() + i * kFeatures;
    if (greatest > 0) {
      features[At(Feature::kPopularity)] = static_cast<float>(std::log1p(counts[i]->weight) / std::log1p(greatest));
    }
    if (rate > 0) {
      const auto shown = static_cast<double>(std::max(counts[i]->impressions, counts[i]->actions));
      const double own = std::max(0.0, counts[i]->weight - static_cast<double>(counts[i]->negatives));
      features[At(Feature::kQuality)] =
          static_cast<float>(std::log((own + kQualityPrior * rate) / (shown + kQualityPrior) / rate));
    }
  }
}

double WeightOf(const config::Surface& surface, std::string_view name) {
  const auto weight = surface.weights.find(name);
  return weight == surface.weights.end() ? 1 : weight->second;
}

struct Recipe {
  bool personal = false;
  const config::Generator* fresh = nullptr;
  std::array<double, kKinds> kinds{};  ///< greatest weight among the surface's generators of each kind; 0 without one
  std::array<double, kFeatures> weights{};
};

Recipe RecipeOf(const config::Config& config, const config::Surface& surface) {
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

}  // namespace

double GeneratorShare(const config::Config& config, const config::Surface& surface, std::string_view generator) {
  const double greatest = RecipeOf(config, surface).kinds[At(config.FindGenerator(generator)->kind)];
  return greatest > 0 ? WeightOf(surface, generator) / greatest : 0;
}

std::string_view FeatureName(Feature feature) { return kDefinitions[At(feature)].name; }

Ranked Rank(const Request& request, std::span<const Candidate> candidates) {
  Ranked ranked;
  ranked.features.assign(candidates.size() * kFeatures, 0.0f);
  ranked.nearest.assign(candidates.size(), Ranked::kNoNear);
  const Recipe recipe = RecipeOf(*request.config, *request.surface);
  ranked.weights = recipe.weights;
  if (recipe.personal) {
    FactorFeatures(request, candidates, &ranked);
    CrowdFeatures(request, candidates, &ranked.features);
  }
  const Interests interests =
      recipe.personal ? Interests::Make(*request.config, *request.view, *request.user, *request.taste, request.now_us)
                      : Interests();
  ranked.scores.resize(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    float* features = ranked.features.data() + i * kFeatures;
    features[At(Feature::kCoOccurrence)] = std::sqrt(candidate.generated[At(GeneratorKind::kCoOccurrence)]);
    features[At(Feature::kSimilar)] = candidate.generated[At(GeneratorKind::kSimilar)];
    features[At(Feature::kPopular)] = candidate.generated[At(GeneratorKind::kPopular)];
    features[At(Feature::kTrending)] = candidate.generated[At(GeneratorKind::kTrending)];
    const double chance = candidate.generated[At(GeneratorKind::kNext)] / kNextChance;
    features[At(Feature::kNext)] = static_cast<float>(0.5 * std::log1p(chance * chance));
    if (recipe.fresh != nullptr) {
      const auto age_us =
          static_cast<double>(std::max<int64_t>(0, request.now_us - request.view->CreatedUs(candidate.item)));
      features[At(Feature::kFresh)] =
          static_cast<float>(std::max(0.0, 1 - age_us / static_cast<double>(recipe.fresh->window_us)));
    }
    if (recipe.personal) CategoryFeatures(request, interests, candidate.item, features);
    const state::SeenItem* seen = request.user->FindSeen(candidate.item.key);
    if (seen != nullptr) features[At(Feature::kSeen)] = static_cast<float>(std::log1p(std::max(1u, seen->count)));

    double sum = kBias;
    for (size_t f = 0; f < kFeatures; ++f) sum += recipe.weights[f] * features[f];
    ranked.scores[i] = static_cast<float>(1 / (1 + std::exp(-sum)));
  }
  return ranked;
}

}  // namespace bowerbird::rank
