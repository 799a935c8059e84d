#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "sim/trial/observed_tastes.h"
#include "sim/world/world.h"

namespace bowerbird::sim::trial {

/// A recipe as far as a comparison needs one: weights of what was observed, and an error of its own, fixed for each
/// user and item, as a model has that was trained on too little.
struct MadeRecipe {
  double topic = 1, subtopic = 1, style = .5, quality = .5, popularity = .1, freshness = .3;
  double error = .3;  ///< standard deviation, in the score's units
  uint64_t error_seed = 1;
};

/// How the second recipe of a pair differs from the first.
enum class PairKind {
  kWeights,    ///< every weight; the same errors
  kError,      ///< larger or smaller errors in the same places; the same weights
  kRetrained,  ///< every weight, and errors in other places
};
std::string_view PairKindName(PairKind kind);

struct RecipePair {
  PairKind kind = PairKind::kWeights;
  double size = 0;  ///< standard deviation of the difference of log weights
  MadeRecipe control, treatment;
};

/// Draws a pair, without looking at what comes of it: the first recipe's weights around those above, each times
/// exp(Normal(0, .7)); the second's around the first's, each times exp(Normal(0, size)), where log(size) is uniform
/// between log(.03) and log(1): from recipes that nobody could tell apart to such that have little in common.
RecipePair DrawPair(PairKind kind, base::Rng& rng);

/// The `n` best items for the user that they had not seen in the history, best first; ties go to the older one.
std::vector<uint64_t> RankItems(const ObservedTastes& tastes, const MadeRecipe& recipe, world::UserNumber user,
                                size_t n);

}  // namespace bowerbird::sim::trial
