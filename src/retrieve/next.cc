#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_map.h"
#include "retrieve/generators.h"
#include "retrieve/top_candidates.h"

namespace bowerbird::retrieve {
namespace {

/// Moves that what people do anywhere is worth beside those from a seed.
constexpr double kPrior = 40;
/// Weight of a seed over that of the one acted on after it.
constexpr double kSeedFall = 0.4;
/// Weight of what people do anywhere, beside a seed that was acted on just now.
constexpr double kAnywhereWeight = 0.05;

struct Seed {
  catalog::ItemKey item;
  const state::NextItems* next = nullptr;  ///< null: nobody went on from it lately
  double weight = 0;
};

std::vector<Seed> Seeds(const config::Generator& generator, const Query& query) {
  std::vector<Seed> seeds;
  if (query.item != nullptr) {
    seeds.push_back({query.item->key, query.items->Next(query.item->key), 1});
    return seeds;
  }
  double fall = 1;
  for (size_t i = 0; i < query.taste->recent.size() && i < generator.seeds; ++i, fall *= kSeedFall) {
    const RecentItem& recent = query.taste->recent[i];
    const auto age_us = static_cast<double>(std::max<int64_t>(0, query.now_us - recent.time_us));
    const double weight = fall * std::exp2(-age_us / static_cast<double>(generator.half_life_us));
    seeds.push_back({recent.item.key, query.items->Next(recent.item.key), weight});
  }
  return seeds;
}

}  // namespace

std::vector<Candidate> RetrieveNext(const config::Generator& generator, const Query& query) {
  struct Share {
    double sum = 0, best = 0;
    catalog::ItemKey because;
  };
  absl::flat_hash_map<uint64_t, Share> shares;
  const std::vector<Seed> seeds = Seeds(generator, query);
  double weights = kAnywhereWeight;
  for (const Seed& seed : seeds) weights += seed.weight;
  double anywhere_weight = weights;  // what no seed's moves take
  for (const Seed& seed : seeds) {
    if (seed.next == nullptr) continue;
    const auto age_us = static_cast<double>(std::max<int64_t>(0, query.now_us - seed.next->newest_us));
    const double decay = std::exp2(-age_us / static_cast<double>(state::kMoveHalfLifeUs));
    const double scale = seed.weight / (seed.next->total * decay + kPrior);
    for (const state::RankedItem& next : seed.next->items) {
      Share& share = shares[next.item.value];
      const double part = scale * decay * next.score;
      anywhere_weight -= part;
      share.sum += part;
      if (part > share.best) {
        share.best = part;
        share.because = seed.item;
      }
    }
  }
  if (const state::NextItems* anywhere = query.items->Next({}); anywhere != nullptr) {
    for (const state::RankedItem& next : anywhere->items) {
      Share& share = shares[next.item.value];
      const double part = anywhere_weight * next.score / anywhere->total;
      share.sum += part;
      if (part > share.best) share.because = {};
    }
  }
  std::vector<Candidate> candidates;
  for (const auto& [key, share] : shares) {
    index::ItemHandle item;
    if (!query.pool->view().Find(catalog::ItemKey(key), &item) || !query.pool->Contains(item)) continue;
    candidates.push_back({item, static_cast<float>(share.sum / weights), share.because});
  }
  KeepTop(generator.count, &candidates);
  return candidates;
}

}  // namespace bowerbird::retrieve
