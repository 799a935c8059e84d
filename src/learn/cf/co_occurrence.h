#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::learn::cf {

/// For each item the items that the same users acted on, best first: neighbors of item i are items[k] with scores[k]
/// for k in [offsets[i], offsets[i + 1]).
struct CoOccurrenceLists {
  std::vector<uint64_t> offsets;
  std::vector<uint32_t> items;
  std::vector<float> scores;
};

struct CoOccurrenceOptions {
  uint32_t neighbors = 50;              // at most, an item
  uint32_t max_actions_per_user = 512;  // older ones are left out: bounds the quadratic cost
  double gap_half_life_us = 0;          // a pair's weight halves with each such time between its two actions; 0: never
  double age_half_life_us = 0;          // and with each such time from its later action to `now_us`; 0: never
  int64_t now_us = 0;
  double popularity_exponent = 0.2;  // in [0, 1]: 0 share of i's users, 0.5 cosine, 1 ranks as lift does
  double support_shrinkage = 2;      // >= 0: score *= c / (c + this), c the decayed pair weight: damps chance pairs
  uint32_t threads = 0;              // 0: all
};

/// Counts pairs with decay and corrects them for popularity:
///
///   c_ij = sum over users who acted on both of min(w_i, w_j) * 2^-(gap / gap_half_life) * 2^-(age / age_half_life)
///   score_ij = c_ij / (n_i^(1 - popularity_exponent) * n_j^popularity_exponent) * c_ij / (c_ij + support_shrinkage)
///
/// with n_i the decayed weight of i's actions. Of a user's repeated actions on one item the latest counts, with the
/// largest weight.
///
/// Data     parallel arrays, one entry an action; `times_us` or `weights` empty mean all 0 or all 1.
/// Order    ties in score go to the smaller item; the result has the same bits for any thread count.
/// Bounds   about 40 bytes an action + 12 bytes an item a thread + the lists: no table of pairs is ever held. Time: the
/// sum over
///          users of their actions squared, at most actions * max_actions_per_user.
/// Errors   InvalidArgument: sizes differ, a user or item out of range, a weight not finite or not > 0, an option out
/// of range.
absl::StatusOr<CoOccurrenceLists> CountCoOccurrence(uint32_t user_count, uint32_t item_count,
                                                    std::span<const uint32_t> users, std::span<const uint32_t> items,
                                                    std::span<const int64_t> times_us, std::span<const float> weights,
                                                    const CoOccurrenceOptions& options);

}  // namespace bowerbird::learn::cf
