#include "base/vector_math.h"
#include "index/exact.h"
#include "retrieve/generators.h"
#include "retrieve/top_candidates.h"

namespace bowerbird::retrieve {

std::vector<Candidate> RetrieveIals(const config::Generator& generator, const Query& query) {
  std::vector<Candidate> candidates;
  if (query.taste->factor.empty()) return candidates;
  const index::LiveView& view = query.pool->view();
  const index::Snapshot& snapshot = *view.snapshot();
  const std::vector<index::Hit> hits =
      index::TopInnerProducts(snapshot.factors(), query.taste->factor, query.pool->ordinals(), generator.count);
  candidates.reserve(hits.size() + query.pool->delta().size());
  for (const index::Hit& hit : hits) {
    candidates.push_back({{snapshot.Key(hit.ordinal), hit.ordinal, nullptr}, hit.score, {}});
  }
  std::vector<float> scratch;
  for (const index::ItemHandle& item : query.pool->delta()) {
    const std::span<const float> factor = view.Factor(item, &scratch);
    if (factor.empty()) continue;
    candidates.push_back({item, base::Dot(factor, query.taste->factor), {}});
  }
  // Hits come as wanted: best first, and ordinals ascend with keys.
  if (candidates.size() > hits.size()) KeepTop(generator.count, &candidates);
  return candidates;
}

}  // namespace bowerbird::retrieve
