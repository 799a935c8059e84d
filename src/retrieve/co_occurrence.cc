#include <algorithm>
#include <cmath>

#include "retrieve/generators.h"
#include "retrieve/ordinal_scores.h"
#include "retrieve/top_candidates.h"

namespace bowerbird::retrieve {
namespace {

struct Seed {
  index::ItemHandle item;
  double weight = 0;
};

/// A strong action counts more than a weak one, but a purchase does not drown ten clicks.
double Damped(double strength) { return std::sqrt(strength); }

std::vector<Seed> Seeds(const config::Generator& generator, const Query& query) {
  std::vector<Seed> seeds;
  if (query.item != nullptr) {
    seeds.push_back({*query.item, 1});
    return seeds;
  }
  double sum = 0;
  for (size_t i = 0; i < query.taste->recent.size() && i < generator.seeds; ++i) {
    const RecentItem& recent = query.taste->recent[i];
    double weight = Damped(recent.strength) * RecencyWeight(i);
    if (generator.half_life_us > 0) {
      const auto age_us = static_cast<double>(std::max<int64_t>(0, query.now_us - recent.time_us));
      weight *= std::exp2(-age_us / static_cast<double>(generator.half_life_us));
    }
    if (!(weight > 0)) continue;
    seeds.push_back({recent.item, weight});
    sum += weight;
  }
  for (Seed& seed : seeds) seed.weight /= sum;
  return seeds;
}

}  // namespace

std::vector<Candidate> RetrieveCoOccurrence(const config::Generator& generator, const Query& query) {
  const index::LiveView& view = query.pool->view();
  std::vector<Candidate> candidates;
  if (view.snapshot() == nullptr) return candidates;
  const std::vector<Seed> seeds = Seeds(generator, query);
  size_t entries = 0;
  for (const Seed& seed : seeds) {
    if (seed.item.ordinal != index::kNoOrdinal) entries += view.snapshot()->CoOccurring(seed.item.ordinal).size();
  }
  OrdinalScores scores(entries);
  for (uint32_t s = 0; s < seeds.size(); ++s) {
    if (seeds[s].item.ordinal == index::kNoOrdinal) continue;
    const index::Neighbors neighbors = view.snapshot()->CoOccurring(seeds[s].item.ordinal);
    if (neighbors.size() == 0 || !(neighbors.score(0) > 0)) continue;
    const double scale = seeds[s].weight / neighbors.score(0);
    for (size_t i = 0; i < neighbors.size(); ++i) {
      scores.Add(neighbors.items[i], static_cast<float>(scale * neighbors.score(i)), s);
    }
  }
  for (const OrdinalScores::Entry& entry : scores.slots()) {
    if (entry.ordinal == index::kNoOrdinal) continue;
    index::ItemHandle item;
    if (!view.FindOrdinal(entry.ordinal, &item) || !query.pool->Contains(item)) continue;
    candidates.push_back({item, entry.sum, seeds[entry.best_giver].item.key});
  }
  KeepTop(generator.count, &candidates);
  return candidates;
}

}  // namespace bowerbird::retrieve
