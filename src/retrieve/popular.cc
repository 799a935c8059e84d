#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "retrieve/generators.h"

namespace bowerbird::retrieve {
namespace {

/// Weight of actions that a list's best item needs before its scores are believed in full: being the first of a handful
/// of events is no trend.
constexpr float kSupport = 10;

}  // namespace

std::vector<Candidate> RetrievePopular(const config::Generator& generator, const Query& query) {
  const index::LiveView& view = query.pool->view();
  std::vector<Candidate> candidates;
  const std::span<const state::RankedItem> top = query.items->Top(generator.name);
  const float full = top.empty() ? 0 : top.front().score + kSupport;
  for (const state::RankedItem& ranked : top) {
    if (candidates.size() == generator.count || !(ranked.score > 0)) break;
    index::ItemHandle item;
    if (!view.Find(ranked.item, &item) || !query.pool->Contains(item)) continue;
    candidates.push_back({item, ranked.score / full, {}});
  }
  if (generator.kind != config::GeneratorKind::kPopular || view.snapshot() == nullptr) return candidates;

  // The table's list is bounded, and filters may leave little of it: the snapshot knows all items in order.
  absl::flat_hash_set<uint64_t> taken;
  for (const Candidate& candidate : candidates) taken.insert(candidate.item.key.value);
  float score = candidates.empty() ? 1 : candidates.back().score;
  for (const index::Ordinal ordinal : view.snapshot()->by_popularity()) {
    if (candidates.size() == generator.count) break;
    index::ItemHandle item;
    if (!view.FindOrdinal(ordinal, &item) || !query.pool->Contains(item) || taken.contains(item.key.value)) continue;
    score *= .99f;
    candidates.push_back({item, score, {}});
  }
  return candidates;
}

}  // namespace bowerbird::retrieve
