#include <algorithm>

#include "retrieve/generators.h"
#include "retrieve/top_candidates.h"

namespace bowerbird::retrieve {

std::vector<Candidate> RetrieveFresh(const config::Generator& generator, const Query& query) {
  const index::LiveView& view = query.pool->view();
  std::vector<Candidate> candidates;
  if (generator.window_us <= 0) return candidates;
  const auto consider = [&](const index::ItemHandle& item) {
    const int64_t age_us = std::max<int64_t>(0, query.now_us - view.CreatedUs(item));
    if (age_us >= generator.window_us) return false;
    const double score = 1 - static_cast<double>(age_us) / static_cast<double>(generator.window_us);
    candidates.push_back({item, static_cast<float>(score), {}});
    return true;
  };
  if (view.snapshot() != nullptr) {
    for (const index::Ordinal ordinal : view.snapshot()->by_created()) {
      if (candidates.size() == generator.count) break;
      // Newest first: the first one beyond the window ends the walk. An item that changed since is in the delta.
      if (view.snapshot()->CreatedUs(ordinal) <= query.now_us - generator.window_us) break;
      if (query.pool->Contains(ordinal)) consider({view.snapshot()->Key(ordinal), ordinal, nullptr});
    }
  }
  for (const index::ItemHandle& item : query.pool->delta()) consider(item);
  KeepTop(generator.count, &candidates);
  return candidates;
}

}  // namespace bowerbird::retrieve
