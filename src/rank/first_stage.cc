#include <algorithm>
#include <cmath>

#include "base/vector_math.h"
#include "index/exact.h"
#include "rank/ranker.h"
#include "rank/recipe.h"

namespace bowerbird::rank {
namespace {

using config::GeneratorKind;

/// The nearest of the user's items is about so much nearer than their mean.
constexpr double kNearOverMean = 2;

constexpr size_t kPrefetch = 16;  ///< candidates ahead

/// Whether the item's factor is its row in the snapshot, changed since or not.
bool InSnapshot(const index::ItemHandle& item) { return item.delta == nullptr || item.delta->factor_trained; }

/// out[i] = product of each candidate's factor with `query`; 0 for one without a factor.
void Products(const index::LiveView& view, std::span<const Candidate> candidates, std::span<const float> query,
              std::span<float> out) {
  std::vector<index::Ordinal> ordinals(candidates.size(), index::kNoOrdinal);
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (InSnapshot(candidates[i].item)) ordinals[i] = candidates[i].item.ordinal;
  }
  index::InnerProducts(view.snapshot()->factors(), query, ordinals, out);
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (InSnapshot(candidates[i].item)) continue;
    const std::vector<float>& predicted = candidates[i].item.delta->factor;
    if (!predicted.empty()) out[i] = base::Dot(predicted, query);
  }
}

}  // namespace

/// kSession and about kNear as one inner product with the item's direction.
std::vector<float> Ranker::MeanDirection() const {
  double near_sum = 0;
  for (const float weight : anchors_.near_weights) near_sum += weight;
  std::vector<float> mean(dim_);
  for (size_t a = 0; a < anchors_.size(); ++a) {
    const double weight =
        recipe_.weights[At(Feature::kSession)] * anchors_.session_weights[a] +
        recipe_.weights[At(Feature::kNear)] * kNearOverMean * anchors_.near_weights[a] / std::max(near_sum, 1e-9);
    base::Axpy(static_cast<float>(weight), std::span(anchors_.directions).subspan(a * dim_, dim_), mean);
  }
  return mean;
}

float Ranker::InverseNorm(const index::ItemHandle& item) const {
  if (InSnapshot(item)) return request_.view->snapshot()->inverse_norms()[item.ordinal.value];
  const std::vector<float>& predicted = item.delta->factor;
  const float squared = predicted.empty() ? 0 : base::Dot(predicted, predicted);
  return squared > 0 ? 1 / std::sqrt(squared) : 0;
}

std::vector<float> Ranker::FirstScores(std::span<const Candidate> candidates) const {
  const index::LiveView& view = *request_.view;
  const retrieve::Taste& taste = *request_.taste;
  std::vector<float> taste_products, mean_products;
  if (dim_ > 0 && !taste.factor.empty()) {
    taste_products.resize(candidates.size());
    Products(view, candidates, taste.factor, taste_products);
  }
  if (dim_ > 0 && anchors_.size() > 0) {
    mean_products.resize(candidates.size());
    Products(view, candidates, MeanDirection(), mean_products);
  }
  const auto weight = [&](Feature feature) { return static_cast<float>(recipe_.weights[At(feature)]); };
  const float together = weight(Feature::kCoOccurrence), similar = weight(Feature::kSimilar);
  const float popular = weight(Feature::kPopular), trending = weight(Feature::kTrending);
  const float fresh = weight(Feature::kFresh), next = weight(Feature::kNext);
  const float lift = weight(Feature::kInterest), affinity = weight(Feature::kAffinity);
  const float session = weight(Feature::kSessionCategory), tired = weight(Feature::kTired);
  const float taste_scale = taste_products.empty() ? 0 : 1 / taste.factor_rms;
  std::vector<float> scores(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (i + kPrefetch < candidates.size() && candidates[i + kPrefetch].item.delta == nullptr) {
      view.snapshot()->Prefetch(candidates[i + kPrefetch].item.ordinal);
    }
    const Candidate& candidate = candidates[i];
    const auto generated = [&](GeneratorKind kind) { return candidate.generated[At(kind)]; };
    float sum = static_cast<float>(kBias);
    sum += together * std::sqrt(generated(GeneratorKind::kCoOccurrence));
    sum += similar * generated(GeneratorKind::kSimilar);
    sum += popular * generated(GeneratorKind::kPopular);
    sum += trending * generated(GeneratorKind::kTrending);
    if (next > 0) sum += next * NextValue(generated(GeneratorKind::kNext));
    if (recipe_.fresh != nullptr) sum += fresh * static_cast<float>(Freshness(candidate.item));
    if (!taste_products.empty()) {
      sum += weight(Feature::kIals) * std::clamp(taste_products[i] * taste_scale, -2.0f, 6.0f);
    }
    if (!mean_products.empty()) sum += mean_products[i] * InverseNorm(candidate.item);
    if (recipe_.personal) {
      const std::span<const uint64_t> categories = view.Categories(candidate.item);
      if (!categories.empty()) {
        const Interests::Category& category = interests_.Of(categories.front());
        sum += lift * category.lift + affinity * category.affinity + session * category.session +
               tired * category.tired_log;
      }
    }
    scores[i] = 1 / (1 + std::exp(-sum));
  }
  return scores;
}

}  // namespace bowerbird::rank
