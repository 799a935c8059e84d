#include "state/user_state.h"

#include <algorithm>

#include "base/decay.h"

namespace bowerbird::state {

double Affinity::At(int64_t now_us, int64_t half_life_us) const {
  return weight * base::DecayFactor(now_us - time_us, half_life_us);
}

const SeenItem* UserState::FindSeen(catalog::ItemKey item) const {
  const auto place = std::lower_bound(seen.begin(), seen.end(), item,
                                      [](const SeenItem& entry, catalog::ItemKey key) { return entry.item < key; });
  return place != seen.end() && place->item == item ? &*place : nullptr;
}

bool UserState::IsHidden(catalog::ItemKey item) const { return std::binary_search(hidden.begin(), hidden.end(), item); }

}  // namespace bowerbird::state
