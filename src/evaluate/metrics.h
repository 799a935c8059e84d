#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bowerbird::evaluate {

/// Means over users who have something to find, at one list length k.
struct Metrics {
  uint32_t k = 0;
  double recall = 0;  // found / wanted
  double ndcg =
      0;  // binary gains 1 / log2(place + 1), over those of the best list of min(k, wanted) items (as LightGCN, BARS)
  double hit_rate = 0;  // users with anything found
  double coverage = 0;  // items that are in any list / all items
  double novelty =
      0;  // mean over shown items of -log2 popularity; popularity = (train users of the item + 1) / (users + 1)
};

/// recall and ndcg of one list; `wanted` is ascending and not empty; at most k of `shown` are read.
struct ListQuality {
  double recall = 0;
  double ndcg = 0;
  bool hit = false;
};
ListQuality MeasureList(std::span<const uint32_t> shown, std::span<const uint32_t> wanted, uint32_t k);

/// The best items of each of some users, best first: list l is items[offsets[l], offsets[l + 1]).
struct RankedLists {
  std::vector<uint32_t> users;
  std::vector<uint64_t> offsets;
  std::vector<uint32_t> items;
  std::span<const uint32_t> of(size_t list) const {
    return std::span(items).subspan(offsets[list], offsets[list + 1] - offsets[list]);
  }
};

/// `wanted[l]` (ascending, not empty) belongs to list l; `item_users[i]` is the number of train users of item i, out of
/// `user_count`.
Metrics MeasureLists(const RankedLists& lists, const std::vector<std::span<const uint32_t>>& wanted, uint32_t k,
                     std::span<const uint32_t> item_users, uint32_t user_count);

}  // namespace bowerbird::evaluate
