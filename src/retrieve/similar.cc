#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_map.h"
#include "base/vector_math.h"
#include "index/exact.h"
#include "retrieve/generators.h"
#include "retrieve/top_candidates.h"

namespace bowerbird::retrieve {
namespace {

constexpr float kCosineShare = .5f;

double Norm(std::span<const float> vector) { return std::sqrt(static_cast<double>(base::Dot(vector, vector))); }

}  // namespace

std::vector<Candidate> RetrieveSimilar(const config::Generator& generator, const Query& query) {
  std::vector<Candidate> candidates;
  const index::LiveView& view = query.pool->view();
  if (query.item == nullptr || view.snapshot() == nullptr) return candidates;
  const index::Snapshot& snapshot = *view.snapshot();

  config::Generator together = generator;
  together.kind = config::GeneratorKind::kCoOccurrence;
  candidates = RetrieveCoOccurrence(together, query);
  absl::flat_hash_map<uint64_t, uint32_t> places;
  for (uint32_t i = 0; i < candidates.size(); ++i) {
    candidates[i].score *= 1 - kCosineShare;
    places.emplace(candidates[i].item.key.value, i);
  }

  std::vector<float> item_scratch, scratch;
  const std::span<const float> factor = view.Factor(*query.item, &item_scratch);
  const double norm = factor.empty() ? 0 : Norm(factor);
  if (norm > 0) {
    const auto add = [&](const index::ItemHandle& item, double cosine) {
      if (item.key == query.item->key) return;
      const float score = kCosineShare * static_cast<float>(std::max(0.0, cosine));
      const auto [place, added] = places.try_emplace(item.key.value, static_cast<uint32_t>(candidates.size()));
      if (added) {
        candidates.push_back({item, score, query.item->key});
      } else {
        candidates[place->second].score += score;
      }
    };
    const std::vector<float> query_factor(factor.begin(), factor.end());
    for (const index::Hit& hit : index::TopCosines(snapshot.factors(), snapshot.inverse_norms(), query_factor,
                                                   query.pool->ordinals(), generator.count)) {
      add({snapshot.Key(hit.ordinal), hit.ordinal, nullptr}, hit.score);
    }
    for (const index::ItemHandle& item : query.pool->delta()) {
      const std::span<const float> other = view.Factor(item, &scratch);
      const double other_norm = other.empty() ? 0 : Norm(other);
      if (other_norm > 0) add(item, base::Dot(query_factor, other) / (norm * other_norm));
    }
  }
  KeepTop(generator.count, &candidates);
  return candidates;
}

}  // namespace bowerbird::retrieve
