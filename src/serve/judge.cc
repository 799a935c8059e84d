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

std::vector<Judged> Judge(const Inputs& inputs, const CheckedRequest& request, const Union& candidates,
                          const rank::Ranked& ranked) {
  std::vector<Judged> judged(candidates.size());
  for (uint32_t i = 0; i < judged.size(); ++i) {
    Judged& one = judged[i];
    one.item = candidates.candidates[i].item;
    one.candidate = i;
    one.rank_score = ranked.scores[i];
    one.score = ranked.scores[i];
    for (size_t r = 0; r < request.scores.size(); ++r) {
      if (!inputs.view->Matches(one.item, *request.scores[r].when, inputs.now_us)) continue;
      one.score *= request.scores[r].factor;
      one.rules.push_back(static_cast<uint16_t>(r));
    }
    one.score *= SeenFactor(inputs, *request.surface, one.item.key);
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
