#include "rank/ranker.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/vector_math.h"
#include "rank/recipe.h"

namespace bowerbird::rank {
namespace {

using config::GeneratorKind;

constexpr size_t kNearItems = 24;
constexpr double kNearHalfLife = 32;  ///< items
constexpr size_t kSessionItems = 8;
constexpr double kSessionHalfLife = 2;  ///< items
constexpr int64_t kSessionHalfLifeUs = int64_t{2} * 3600 * 1'000'000;
/// Impressions that the candidates' common rate is worth in an item's own.
constexpr double kQualityPrior = 20;
constexpr size_t kBlock = 64;  ///< candidate rows that stay in the nearest cache

/// Impressions of an item; where clients send none, an action at least was one.
double Shown(const state::ItemCounts& counts) {
  return static_cast<double>(std::max(counts.impressions, counts.actions));
}

}  // namespace

Ranker::Ranker(const Request& request) : request_(request), recipe_(Recipe::Of(*request.config, *request.surface)) {
  if (!recipe_.personal) return;
  interests_ = Interests::Make(*request.config, *request.view, *request.user, *request.taste, request.now_us);
  const index::Snapshot* snapshot = request.view->snapshot();
  if (snapshot == nullptr || snapshot->dim() == 0) return;
  anchors_ = MakeAnchors(request);
  if (!request.taste->factor.empty() || anchors_.size() > 0) dim_ = snapshot->dim();
}

Ranker::Anchors Ranker::MakeAnchors(const Request& request) {
  Anchors anchors;
  const size_t count = std::min(kNearItems, request.taste->recent.size());
  std::vector<float> scratch;
  for (size_t i = 0; i < count; ++i) {
    const retrieve::RecentItem& recent = request.taste->recent[i];
    const std::span<const float> factor = request.view->Factor(recent.item, &scratch);
    const double norm = factor.empty() ? 0 : std::sqrt(static_cast<double>(base::Dot(factor, factor)));
    if (!(norm > 0)) continue;
    anchors.recent.push_back(static_cast<uint32_t>(i));
    for (const float value : factor) anchors.directions.push_back(static_cast<float>(value / norm));
    const double value = ActionValue(recent.strength);
    const double age_us = static_cast<double>(std::max<int64_t>(0, request.now_us - recent.time_us));
    anchors.near_weights.push_back(
        static_cast<float>(std::sqrt(value) * std::exp2(-static_cast<double>(i) / kNearHalfLife)));
    anchors.session_weights.push_back(
        i < kSessionItems ? static_cast<float>(value * std::exp2(-static_cast<double>(i) / kSessionHalfLife) *
                                               std::exp2(-age_us / kSessionHalfLifeUs))
                          : 0);
  }
  return anchors;
}

/// kIals, kNear, kSession, kUntrained: what needs the candidates' factors.
void Ranker::FactorFeatures(std::span<const Candidate> candidates, Ranked* ranked) const {
  if (dim_ == 0) return;
  const index::LiveView& view = *request_.view;
  const retrieve::Taste& taste = *request_.taste;
  std::vector<float> rows(kBlock * dim_), products(kBlock), inverse_norms(kBlock);
  std::vector<float> near(kBlock), session(kBlock);
  for (size_t begin = 0; begin < candidates.size(); begin += kBlock) {
    const size_t count = std::min(kBlock, candidates.size() - begin);
    float* const block_features = ranked->features.data() + begin * ranked->width;
    for (size_t i = 0; i < count; ++i) {
      const std::span<float> row = std::span(rows).subspan(i * dim_, dim_);
      view.CopyFactor(candidates[begin + i].item, row);
      const double squared = base::Dot(row, row);
      inverse_norms[i] = squared > 0 ? static_cast<float>(1 / std::sqrt(squared)) : 0;
      block_features[i * ranked->width + At(Feature::kUntrained)] =
          view.FactorTrained(candidates[begin + i].item) ? 0 : 1;
    }
    const std::span<const float> block = std::span(rows).first(count * dim_);
    const std::span<float> product = std::span(products).first(count);
    if (!taste.factor.empty()) {
      base::MatrixVector(block, taste.factor, product);
      for (size_t i = 0; i < count; ++i) {
        block_features[i * ranked->width + At(Feature::kIals)] = std::clamp(product[i] / taste.factor_rms, -2.0f, 6.0f);
      }
    }
    std::fill(near.begin(), near.end(), 0.0f);
    std::fill(session.begin(), session.end(), 0.0f);
    for (size_t a = 0; a < anchors_.size(); ++a) {
      base::MatrixVector(block, std::span(anchors_.directions).subspan(a * dim_, dim_), product);
      const float near_weight = anchors_.near_weights[a], session_weight = anchors_.session_weights[a];
      for (size_t i = 0; i < count; ++i) {
        const float cosine = std::max(0.0f, product[i] * inverse_norms[i]);
        session[i] += cosine * session_weight;
        if (cosine * near_weight > near[i]) {
          near[i] = cosine * near_weight;
          ranked->nearest[begin + i] = anchors_.recent[a];
        }
      }
    }
    for (size_t i = 0; i < count; ++i) {
      block_features[i * ranked->width + At(Feature::kNear)] = near[i];
      block_features[i * ranked->width + At(Feature::kSession)] = session[i];
    }
  }
}

void Ranker::CategoryFeatures(const index::ItemHandle& item, float* features) const {
  const std::span<const uint64_t> categories = request_.view->Categories(item);
  if (categories.empty()) return;
  double affinity = 0, session = 0;
  for (const uint64_t hash : categories) {
    const Interests::Category& category = interests_.Of(hash);
    affinity += category.affinity;
    session += category.session;
  }
  const auto count = static_cast<double>(categories.size());
  features[At(Feature::kAffinity)] = static_cast<float>(affinity / count);
  features[At(Feature::kSessionCategory)] = static_cast<float>(session / count);
  const Interests::Lift lift = interests_.LiftOf(categories);
  features[At(Feature::kInterest)] = static_cast<float>(lift.coarse);
  features[At(Feature::kInterestFine)] = static_cast<float>(lift.fine);
  features[At(Feature::kTired)] = interests_.Of(categories.front()).tired_log;
}

/// kQuality, kPopularity: what everybody did with the candidates.
void Ranker::CrowdFeatures(std::span<const Candidate> candidates, const Crowd* given, Ranked* ranked) const {
  std::vector<const state::ItemCounts*> counts(candidates.size());
  Crowd own;
  double weights = 0, impressions = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    counts[i] = request_.items->Find(candidates[i].item.key);
    if (counts[i] == nullptr) continue;
    weights += counts[i]->weight;
    impressions += Shown(*counts[i]);
    own.greatest = std::max(own.greatest, counts[i]->weight);
  }
  if (impressions > 0) own.rate = weights / impressions;
  const Crowd& crowd = ranked->crowd = given != nullptr ? *given : own;
  if (!(crowd.greatest > 0)) return;
  const double log_greatest = std::log1p(crowd.greatest);
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (counts[i] == nullptr) continue;
    float* features = ranked->features.data() + i * ranked->width;
    features[At(Feature::kPopularity)] = static_cast<float>(std::log1p(counts[i]->weight) / log_greatest);
    if (!(crowd.rate > 0)) continue;
    const double acted = std::max(0.0, counts[i]->weight - static_cast<double>(counts[i]->negatives));
    features[At(Feature::kQuality)] = static_cast<float>(
        std::log((acted + kQualityPrior * crowd.rate) / (Shown(*counts[i]) + kQualityPrior) / crowd.rate));
  }
}

void Ranker::ScoreByTrained(Ranked* ranked) const {
  const Trained& trained = *request_.trained;
  std::vector<float> sums(ranked->scores.size());
  if (trained.added.empty()) {
    trained.trees.Predict(ranked->features, ranked->width, sums);
  } else {
    // The trees know the added features in their own order.
    std::vector<size_t> from;
    for (const std::string& name : trained.added) {
      const auto at = std::ranges::find(ranked->added, name);
      BOWERBIRD_CHECK(at != ranked->added.end());
      from.push_back(kFeatures + static_cast<size_t>(at - ranked->added.begin()));
    }
    const size_t width = kFeatures + from.size();
    std::vector<float> rows(sums.size() * width);
    for (size_t i = 0; i < sums.size(); ++i) {
      const float* features = ranked->features.data() + i * ranked->width;
      std::copy_n(features, kFeatures, rows.begin() + static_cast<ptrdiff_t>(i * width));
      for (size_t a = 0; a < from.size(); ++a) rows[i * width + kFeatures + a] = features[from[a]];
    }
    trained.trees.Predict(rows, width, sums);
  }
  if (!std::all_of(sums.begin(), sums.end(), [](float sum) { return std::isfinite(sum); })) {
    ranked->trained_invalid = true;
    return;
  }
  ranked->by_trained = true;
  for (size_t i = 0; i < sums.size(); ++i) {
    ranked->scores[i] = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(sums[i]))));
  }
}

Ranked Ranker::Rank(std::span<const Candidate> candidates, const Crowd* crowd) const {
  Ranked ranked;
  const AddedFeatures* added = request_.added;
  std::vector<double> added_weights;
  for (size_t a = 0; added != nullptr && a < added->size(); ++a) {
    ranked.added.emplace_back(added->name(a));
    added_weights.push_back(added->weight(a));
  }
  ranked.width = kFeatures + ranked.added.size();
  ranked.features.assign(candidates.size() * ranked.width, 0.0f);
  ranked.nearest.assign(candidates.size(), Ranked::kNoNear);
  ranked.weights = recipe_.weights;
  if (recipe_.personal) {
    FactorFeatures(candidates, &ranked);
    CrowdFeatures(candidates, crowd, &ranked);
  }
  ranked.scores.resize(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    float* features = ranked.features.data() + i * ranked.width;
    features[At(Feature::kCoOccurrence)] = std::sqrt(candidate.generated[At(GeneratorKind::kCoOccurrence)]);
    features[At(Feature::kSimilar)] = candidate.generated[At(GeneratorKind::kSimilar)];
    features[At(Feature::kPopular)] = candidate.generated[At(GeneratorKind::kPopular)];
    features[At(Feature::kTrending)] = candidate.generated[At(GeneratorKind::kTrending)];
    features[At(Feature::kNext)] = NextValue(candidate.generated[At(GeneratorKind::kNext)]);
    if (recipe_.fresh != nullptr) features[At(Feature::kFresh)] = static_cast<float>(Freshness(candidate.item));
    if (recipe_.personal) CategoryFeatures(candidate.item, features);
    const state::SeenItem* seen = request_.user->FindSeen(candidate.item.key);
    if (seen != nullptr) features[At(Feature::kSeen)] = static_cast<float>(std::log1p(std::max(1u, seen->count)));

    if (!ranked.added.empty()) added->Read(candidate.item, {features + kFeatures, ranked.added.size()});
    ranked.scores[i] = recipe_.Score({features, ranked.width}, added_weights);
  }
  if (request_.trained != nullptr && recipe_.personal) ScoreByTrained(&ranked);
  return ranked;
}

}  // namespace bowerbird::rank
