#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"

namespace bowerbird::blend {

/// What the blend knows of a candidate.
struct Candidate {
  double score = 0;                      ///< after ranking, rules and the seen policy; >= 0
  std::span<const uint64_t> categories;  ///< hashes; duplicates count once
};

/// A candidate that has its place on this page.
struct Pin {
  uint32_t place = 0;      ///< from 0
  uint32_t candidate = 0;  ///< index
};

struct Policy {
  uint32_t n = 0;             ///< items wanted
  double diversity = 0;       ///< 0..1
  uint32_t category_cap = 0;  ///< most items of one category on the page; 0 = no cap
  double temperature = 0.1;   ///< > 0
  /// Categories of the items right above the page, on the pages before it: they count for diversity, not for the cap.
  std::span<const std::span<const uint64_t>> above;
};

/// Items that one draw chooses among, at most: the best remaining ones by score before the diversity penalty.
inline constexpr uint32_t kDrawItemsMax = 100;
/// Items of earlier pages that Policy::above is meant to hold, the last ones.
inline constexpr uint32_t kDiversityAboveMax = 24;
/// The diversity penalty looks at count / (items above + kDiversityPrior), so that a second item does not pay in full
/// for being like the one above it.
inline constexpr double kDiversityPrior = 4;

/// The pool of one drawn position: indexes of candidates and their log weights, as float32 because the record keeps
/// them so and the propensity must follow from the record exactly.
struct DrawPool {
  std::vector<uint32_t> candidates;
  std::vector<float> logits;
};

struct Placed {
  uint32_t candidate = 0;
  float score = 0;  ///< after the diversity penalty
  bool pinned = false;
  double propensity = 0;  ///< drawn pages: probability given what stands above; 1 where pinned. Else 0
};

struct Page {
  std::vector<Placed> items;    ///< in order
  std::vector<DrawPool> pools;  ///< drawn pages: one an item
};

/// Puts candidates, given best first, in their order on the page: at each place its pin, else the candidate with the
/// highest score * (1 - diversity * share), where share is that of its most frequent category among the items above,
/// among those that the cap allows; the earlier candidate wins a tie. Categories of pinned items count towards the cap
/// from the start, so that they stand whatever the cap says. Shorter than n when no candidate is left that the cap
/// allows; pins whose place is not reached then stand last, in order.
///
/// With `rng`, each place that has no pin is drawn among the allowed ones in proportion to exp(score / temperature)
/// (Plackett and Luce), score after the penalty: the one randomizer of an answer.
///
/// Pins name each candidate and each place at most once, places below n.
/// Cost     blend_bench.
Page Blend(std::span<const Candidate> candidates, std::span<const Pin> pins, const Policy& policy, base::Rng* rng);

/// The page as the draws of `policy` would have to come out for it to be `page` (indexes of candidates by place, each
/// once, pinned ones at their places): the pools of each place given what stands above, and with which probability the
/// policy draws what stands there; 0 for what its pool does not have.
///
/// So a page that one policy drew is read for another: candidates in the order and with the scores of the other.
Page Retrace(std::span<const Candidate> candidates, std::span<const Pin> pins, const Policy& policy,
             std::span<const uint32_t> page);

/// Probability of the entry at `chosen` under weights exp(logits): what the record's propensity must equal.
double DrawProbability(std::span<const float> logits, size_t chosen);

}  // namespace bowerbird::blend
