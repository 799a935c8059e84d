#pragma once

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

/// Best first, ties by key.
void SortByScore(std::vector<Judged>* judged);

}  // namespace bowerbird::serve
