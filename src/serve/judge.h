#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "config/config.h"
#include "rank/ranker.h"
#include "serve/candidate_union.h"
#include "serve/checked_request.h"
#include "serve/explain.h"
#include "serve/pipeline.h"

namespace bowerbird::serve {

/// Whether the user saw the item so lately that the surface's seen policy looks at it.
bool SeenWithin(const state::SeenItem& seen, const config::Surface& surface, int64_t now_us);

/// What the seen policy multiplies a score by: below 1 for a seen item where the surface demotes those.
double SeenFactor(const Inputs& inputs, const config::Surface& surface, catalog::ItemKey item);

/// Every candidate with the rules that hold for it and its score after them and the seen policy; best first.
std::vector<Judged> Judge(const Inputs& inputs, const CheckedRequest& request, const Union& candidates,
                          const rank::Ranked& ranked);

/// Of `found`, scored by the ranker's first stage, the indexes of the `keep` best after rules and the seen policy,
/// ascending; ties by key.
std::vector<uint32_t> KeepBest(const Inputs& inputs, const CheckedRequest& request,
                               std::span<const rank::Candidate> found, std::span<const float> first_scores,
                               uint32_t keep);

/// What the rules that hold for an item and the seen policy multiply its score by; the rules are added to `held` where
/// that is not null.
double ScoreFactor(const Inputs& inputs, const CheckedRequest& request, const index::ItemHandle& item,
                   absl::InlinedVector<uint16_t, 2>* held);

/// Best first, ties by key.
void SortByScore(std::vector<Judged>* judged);

}  // namespace bowerbird::serve
