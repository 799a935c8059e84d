#include "evaluate/metrics.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace bowerbird::evaluate {

ListQuality MeasureList(std::span<const uint32_t> shown, std::span<const uint32_t> wanted, uint32_t k) {
  BOWERBIRD_CHECK(k > 0 && !wanted.empty());
  double found = 0, gain = 0, best = 0;
  for (size_t place = 0; place < k; ++place) {
    const double discount = 1 / std::log2(static_cast<double>(place) + 2);
    if (place < wanted.size()) best += discount;
    if (place < shown.size() && std::binary_search(wanted.begin(), wanted.end(), shown[place])) {
      ++found;
      gain += discount;
    }
  }
  return {found / static_cast<double>(wanted.size()), gain / best, found > 0};
}

Metrics MeasureLists(const RankedLists& lists, const std::vector<std::span<const uint32_t>>& wanted, uint32_t k,
                     std::span<const uint32_t> item_users, uint32_t user_count) {
  BOWERBIRD_CHECK(lists.users.size() == wanted.size());
  Metrics metrics{.k = k};
  if (wanted.empty()) return metrics;
  std::vector<bool> covered(item_users.size());
  uint64_t shown_count = 0;
  for (size_t l = 0; l < wanted.size(); ++l) {
    const std::span<const uint32_t> shown = lists.of(l).first(std::min<size_t>(k, lists.of(l).size()));
    const ListQuality quality = MeasureList(shown, wanted[l], k);
    metrics.recall += quality.recall;
    metrics.ndcg += quality.ndcg;
    metrics.hit_rate += quality.hit;
    for (uint32_t item : shown) {
      covered[item] = true;
      metrics.novelty -= std::log2((item_users[item] + 1.0) / (user_count + 1.0));
    }
    shown_count += shown.size();
  }
  const double users = static_cast<double>(wanted.size());
  metrics.recall /= users;
  metrics.ndcg /= users;
  metrics.hit_rate /= users;
  if (shown_count > 0) metrics.novelty /= static_cast<double>(shown_count);
  metrics.coverage =
      static_cast<double>(std::count(covered.begin(), covered.end(), true)) / static_cast<double>(item_users.size());
  return metrics;
}

}  // namespace bowerbird::evaluate
