#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "index/live_index.h"
#include "rank/interests.h"
#include "retrieve/taste.h"
#include "state/item_table.h"
#include "state/user_state.h"

namespace bowerbird::rank {

/// What the ranker knows of a candidate, in the order of the served log's features. docs/methods/ranking.md has the
/// formula of each and how the default weights were found.
enum class Feature : uint8_t {
  kIals,             ///< user factor times item factor, in units of what an ordinary item scores
  kNear,             ///< best cosine with an item that the user acted on, older ones counting less
  kSession,          ///< the same as a sum over the last few actions
  kSessionCategory,  ///< part of the item's categories in the last few actions
  kCoOccurrence,     ///< the generator's score, 0..1
  kSimilar,          ///< the generator's score
  kAffinity,         ///< share of the item's categories in the user's decayed actions
  kInterest,         ///< log of the rate at which the user acts on items of the first category, over the user's rate
  kInterestFine,     ///< what the further categories add to that
  kTired,            ///< items of its first category seen lately
  kQuality,          ///< log of the item's rate of actions per impression over the candidates' rate
  kPopularity,       ///< log of its weight of actions, over the candidates' greatest
  kPopular,          ///< the generator's score
  kTrending,         ///< the generator's score
  kFresh,            ///< 1 for created now, 0 at the fresh generator's window
  kSeen,             ///< log of impressions by this user
  kUntrained,        ///< 1 for a factor predicted from attributes
  kNext,             ///< log of the generator's chance that it is the user's next
  kCount,
};
inline constexpr size_t kFeatures = static_cast<size_t>(Feature::kCount);
inline constexpr size_t kKinds = 7;  ///< of generators

std::string_view FeatureName(Feature feature);

/// A candidate as retrieval found it.
struct Candidate {
  index::ItemHandle item;
  /// Best score of the generators of each kind (config::GeneratorKind), each times its GeneratorShare; 0 where none
  /// found it.
  std::array<float, kKinds> generated{};
};

/// The surface's weight of a generator over the greatest among its generators of that kind; the latter scales the
/// kind's feature.
double GeneratorShare(const config::Config& config, const config::Surface& surface, std::string_view generator);

/// What all candidates of a request share. Pointers are not null but for `item`.
struct Request {
  const config::Config* config = nullptr;
  const config::Surface* surface = nullptr;
  const index::LiveView* view = nullptr;
  const state::UserState* user = nullptr;
  const state::ItemTable* items = nullptr;
  const retrieve::Taste* taste = nullptr;
  const index::ItemHandle* item = nullptr;  ///< of a related surface
  int64_t now_us = 0;
};

struct Ranked {
  std::vector<float> features;  ///< {candidates, kFeatures}
  std::vector<float> scores;    ///< {candidates}, in (0, 1): sigmoid of the weighted sum
  /// {candidates}: index in taste.recent of the item that gave kNear; kNoNear where none did.
  std::vector<uint32_t> nearest;
  static constexpr uint32_t kNoNear = UINT32_MAX;
  std::array<double, kFeatures> weights{};  ///< what each feature was multiplied by

  /// What a feature added to the weighted sum of a candidate.
  double Contribution(size_t candidate, Feature feature) const {
    const auto f = static_cast<size_t>(feature);
    return weights[f] * features[candidate * kFeatures + f];
  }
};

/// Features and score of each candidate: how much this user would take from seeing it now, by a weighted sum of the
/// features squeezed into (0, 1). Multiplying a score (boost, bury) multiplies that.
///
/// Weights  kDefinitions in ranker.cc, found as docs/methods/ranking.md says. Surface::weights are relative: each
/// generator's
///          is divided by the greatest of the surface (1 where not given) and scales the feature of its kind; a
///          feature's own name scales that feature. The feature of a generator that the surface does not name counts 0.
///          A surface without a personal generator (ials, co_occurrence, similar) ranks by its generators' scores
///          alone.
/// Same     sums in a fixed order: the same inputs give the same bits on machines with the same instruction set.
/// Cost     rank_bench.
Ranked Rank(const Request& request, std::span<const Candidate> candidates);

}  // namespace bowerbird::rank
