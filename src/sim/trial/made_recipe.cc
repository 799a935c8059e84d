#include "sim/trial/made_recipe.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/hash.h"

namespace bowerbird::sim::trial {
namespace {

constexpr double kFirstSpread = .7;
constexpr double kSizeMin = .03, kSizeMax = 1;

/// About standard normal, fixed by its inputs.
float FixedNormal(uint64_t user_seed, uint64_t item) {
  const uint64_t bits = base::CombineHash(user_seed, item);
  uint64_t sum = 0;
  for (int part = 0; part < 4; ++part) sum += (bits >> (16 * part)) & 0xffff;
  return (static_cast<float>(sum) / 65536.0F - 2) * 1.7320508F;
}

void Scale(MadeRecipe* recipe, double spread, bool weights, bool error, base::Rng& rng) {
  for (double* weight :
       {&recipe->topic, &recipe->subtopic, &recipe->style, &recipe->quality, &recipe->popularity, &recipe->freshness}) {
    if (weights) *weight *= std::exp(spread * rng.Normal());
  }
  if (error) recipe->error *= std::exp(spread * rng.Normal());
}

}  // namespace

std::string_view PairKindName(PairKind kind) {
  switch (kind) {
    case PairKind::kError:
      return "error";
    case PairKind::kRetrained:
      return "retrained";
    case PairKind::kWeights:
      break;
  }
  return "weights";
}

RecipePair DrawPair(PairKind kind, base::Rng& rng) {
  RecipePair pair;
  pair.kind = kind;
  pair.size = kSizeMin * std::pow(kSizeMax / kSizeMin, rng.Uniform());
  pair.control.error_seed = rng();
  Scale(&pair.control, kFirstSpread, true, true, rng);
  pair.treatment = pair.control;
  Scale(&pair.treatment, pair.size, kind != PairKind::kError, kind != PairKind::kWeights, rng);
  if (kind == PairKind::kRetrained) pair.treatment.error_seed = rng();
  return pair;
}

std::vector<uint64_t> RankItems(const ObservedTastes& tastes, const MadeRecipe& recipe, world::UserNumber user,
                                size_t n) {
  const ObservedTastes::Likings& likings = tastes.Of(user);
  const auto topic = static_cast<float>(recipe.topic), subtopic = static_cast<float>(recipe.subtopic),
             style = static_cast<float>(recipe.style), quality = static_cast<float>(recipe.quality),
             popularity = static_cast<float>(recipe.popularity), freshness = static_cast<float>(recipe.freshness),
             error = static_cast<float>(recipe.error);
  const uint64_t user_seed = base::CombineHash(recipe.error_seed, user.value);
  std::vector<std::pair<float, uint32_t>> scored;  // negative scores, so that the best sort first
  scored.reserve(tastes.items().size());
  for (uint32_t i = 0; i < tastes.items().size(); ++i) {
    const ObservedTastes::ItemFacts& item = tastes.items()[i];
    const float score = topic * likings.topics[item.topic] + subtopic * likings.subtopics[item.subtopic] +
                        style * likings.styles[item.style] + quality * item.quality + popularity * item.popularity +
                        freshness * item.freshness + error * FixedNormal(user_seed, i);
    scored.emplace_back(-score, i);
  }
  std::vector<uint64_t> best;
  // Some of the best ones were seen: a few more are sorted than are wanted, as often as it takes.
  for (size_t sorted = 0; best.size() < n && sorted < scored.size();) {
    const size_t end = std::min(scored.size(), sorted + 2 * n);
    const auto begin = scored.begin() + static_cast<ptrdiff_t>(sorted),
               middle = scored.begin() + static_cast<ptrdiff_t>(end);
    if (middle != scored.end()) std::nth_element(begin, middle, scored.end());
    std::sort(begin, middle);
    for (; sorted < end && best.size() < n; ++sorted) {
      if (!tastes.HasSeen(user, scored[sorted].second)) best.push_back(scored[sorted].second);
    }
  }
  return best;
}

}  // namespace bowerbird::sim::trial
