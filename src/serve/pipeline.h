#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bowerbird/v1/serving.pb.h"
#include "catalog/keys.h"
#include "config/config.h"
#include "features/tables.h"
#include "index/live_index.h"
#include "rank/trained.h"
#include "serve/answer.h"
#include "serve/feature_columns.h"
#include "state/item_table.h"
#include "state/user_state.h"

namespace bowerbird::serve {

/// Where this request stands in a chain of pages. The first page has the defaults, and `id` is its own request id.
struct Chain {
  std::string id;
  uint32_t page = 0;                    ///< from 0
  std::vector<catalog::ItemKey> shown;  ///< on the earlier pages, in order
  bool seen_relaxed = false;            ///< the first page had to show seen items, so the later ones may
};

/// A hide that was acknowledged, but that the user's state does not hold yet.
struct OverlayHide {
  std::string item;
  catalog::ItemKey key;
};

/// How much work an answer may be, and what it may know. Less than kFull is named in `degraded`: "fewer_generators" or
/// "popular".
enum class Effort : uint8_t {
  kFull,
  kFewer,           ///< the surface's personal generators, and a third of what the ranker sees
  kFewerOrPopular,  ///< that for a user with actions, for others as kPopular
  kPopular,         ///< what is trending and popular: nothing is computed for this user
  kOwnerAway,  ///< that, without the user's state, which is on a node that does not answer: "owner_unreachable", too
};

/// The trained ranker of a surface.
struct RankerChoice {
  std::shared_ptr<const rank::Trained> trained;  ///< null: none is promoted, or it is missing
  bool missing = false;                          ///< one is promoted, but could not be opened
};

/// Everything that an answer depends on beside the request. Kept or made again, it gives the same answer again.
struct Inputs {
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<const index::LiveView> view;
  std::shared_ptr<const state::UserState> user;  ///< an empty state for an unknown visitor
  std::shared_ptr<const state::ItemTable> items;
  RankerChoice ranker;                                 ///< of the request's surface
  std::shared_ptr<const features::TableSet> features;  ///< of other teams; null: there are none
  FeatureColumns* columns = nullptr;                   ///< keeps columns of them; null: nobody does
  catalog::KeyHasher hasher{base::HashSeed{}};
  int64_t now_us = 0;
  uint64_t seed = 0;
  std::string request_id;
  Chain chain;
  std::vector<OverlayHide> overlay_hidden;
  Effort effort = Effort::kFull;
};

inline constexpr uint32_t kItemsMax = 200;        ///< RecommendRequest.n
inline constexpr uint32_t kItemsDefault = 25;     ///< when n is 0
inline constexpr uint32_t kExcludeMax = 1000;     ///< RecommendRequest.exclude
inline constexpr uint32_t kRulesMax = 50;         ///< RecommendRequest.rules
inline constexpr uint32_t kExplainItemsMax = 20;  ///< RecommendRequest.explain_items
inline constexpr uint32_t kFieldsMax = 64;        ///< RecommendRequest.fields
inline constexpr uint32_t kRankItemsMax = 1000;   ///< RankRequest.items
inline constexpr uint32_t kChainItemsMax = 5000;  ///< shown on all pages of one chain; then there is no next page

/// Answers a request for one page: generators over the eligible items, union, features and score, rules, blend.
///
/// Same     a pure function: the same inputs give the same items, scores and record, byte for byte (times apart).
/// Holds    no item twice in a chain; none that is withdrawn, unavailable, hidden by the user, in `exclude`, or outside
///          of a filter; seen items only as the surface's policy says, or, named in `degraded`, when nothing else is
///          eligible; caps and pins as in blend/blend.h; never empty while an eligible item exists.
/// Errors   InvalidArgument with code and field (catalog::FromStatus): the request is refused, naming the field, what
///          was found and what would be accepted.
/// Cost     pipeline_bench.
absl::StatusOr<Answer> Recommend(const Inputs& inputs, const v1::RecommendRequest& request);

/// An item that stands on a page whatever its score.
struct PlacedItem {
  catalog::ItemKey key;
  std::string team;  ///< of a draft: the arm whose ranking placed it; may be empty
  bool pinned = false;
};

/// The page of these items, in this order, as Recommend would answer it: scores, features, explanations and record are
/// those of `inputs`, propensities there are none, and `degraded` never says that it was filled. Items that the view
/// does not have are left out.
absl::StatusOr<Answer> RecommendPlaced(const Inputs& inputs, const v1::RecommendRequest& request,
                                       std::span<const PlacedItem> page);

/// Scores the caller's candidates with the ranker and the boost and bury rules of the surface. Unknown, withdrawn,
/// unavailable and hidden ones are left out and named; an item given twice counts once.
absl::StatusOr<RankAnswer> Rank(const Inputs& inputs, const v1::RankRequest& request);

}  // namespace bowerbird::serve
