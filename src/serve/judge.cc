#include "serve/judge.h"

#include <algorithm>

namespace bowerbird::serve {

bool SeenWithin(const state::SeenItem& seen, const config::Surface& surface, int64_t now_us) {
  return surface.seen_window_us == 0 || now_us - int64_t{seen.time_s} * 1'000'000 < surface.seen_window_us;
}

double SeenFactor(const Inputs& inputs, const config::Surface& surface, catalog::ItemKey item) {
  if (surface.seen != config::SeenPolicy::kDemote) return 1;
  const state::SeenItem* seen = inputs.user->FindSeen(item);
  return seen != nullptr && SeenWithin(*seen, surface, inputs.now_us) ? surface.seen_factor : 1;
}

double ScoreFactor(const Inputs& inputs, const CheckedRequest& request, const index::ItemHandle& item,
                   absl::InlinedVector<uint16_t, 2>* held) {
  double factor = 1;
  for (size_t r = 0; r < request.scores.size(); ++r) {
    if (!inputs.view->Matches(item, *request.scores[r].when, inputs.now_us)) continue;
    factor *= request.scores[r].factor;
    if (held != nullptr) held->push_back(static_cast<uint16_t>(r));
  }
  return factor * SeenFactor(inputs, *request.surface, item.key);
}

std::vector<uint32_t> KeepBest(const Inputs& inputs, const CheckedRequest& request,
                               std::span<const rank::Candidate> found, std::span<const float> first_scores,
                               uint32_t keep) {
  struct Scored {
    double score = 0;
    uint32_t index = 0;
  };
  std::vector<Scored> scored(found.size());
  const bool factors = !request.scores.empty() || request.surface->seen == config::SeenPolicy::kDemote;
  for (uint32_t i = 0; i < scored.size(); ++i) {
    scored[i] = {first_scores[i] * (factors ? ScoreFactor(inputs, request, found[i].item, nullptr) : 1), i};
  }
  if (keep < scored.size()) {
    std::nth_element(scored.begin(), scored.begin() + keep, scored.end(), [&](const Scored& a, const Scored& b) {
      return a.score != b.score ? a.score > b.score : found[a.index].item.key < found[b.index].item.key;
    });
    scored.resize(keep);
  }
  std::vector<uint32_t> kept(scored.size());
  for (size_t i = 0; i < kept.size(); ++i) kept[i] = scored[i].index;
  std::sort(kept.begin(), kept.end());
  return kept;
}

std::vector<Judged> Judge(const Inputs& inputs, const CheckedRequest& request, const Union& candidates,
                          const rank::Ranked& ranked) {
  std::vector<Judged> judged(candidates.size());
  for (uint32_t i = 0; i < judged.size(); ++i) {
    Judged& one = judged[i];
    one.item = candidates.candidates[i].item;
    one.candidate = i;
    one.rank_score = ranked.scores[i];
    one.score = ranked.scores[i] * ScoreFactor(inputs, request, one.item, &one.rules);
  }
  SortByScore(&judged);
  return judged;
}

void SortByScore(std::vector<Judged>* judged) {
  std::sort(judged->begin(), judged->end(), [](const Judged& a, const Judged& b) {
    return a.score != b.score ? a.score > b.score : a.item.key < b.item.key;
  });
}

}  // namespace bowerbird::serve
