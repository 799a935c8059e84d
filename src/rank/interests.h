#pragma once

#include <cstdint>
#include <span>

#include "absl/container/flat_hash_map.h"
#include "config/config.h"
#include "index/live_index.h"
#include "retrieve/taste.h"
#include "state/user_state.h"

namespace bowerbird::rank {

/// What a user's history says about categories. Made once a request, then asked for each candidate.
///
/// Cost  one look-up of the catalog for each item that state remembers as seen (at most 2,304).
class Interests {
 public:
  static Interests Make(const config::Config& config, const index::LiveView& view, const state::UserState& user,
                        const retrieve::Taste& taste, int64_t now_us);

  /// What one category's history says; the default is a category without any.
  struct Category {
    float affinity = 0;  ///< its share of the user's decayed actions
    float acted = 0;     ///< value of the actions there, decayed
    float seen = 0;      ///< items seen there, decayed
    float tired = 0;     ///< items seen there lately
    float session = 0;   ///< its part in the last few actions
    // Of the above, made once:
    float rate = 0;       ///< of actions, shrunk towards the user's own; the first category of an item starts there
    float lift = 0;       ///< Lift::coarse of an item whose first category this is
    float tired_log = 0;  ///< log(1 + tired)
  };
  const Category& Of(uint64_t category) const {
    const auto found = categories_.find(category);
    return found == categories_.end() ? none_ : found->second;
  }

  /// What the user makes of an item's categories, given coarse to fine.
  struct Lift {
    double coarse = 0;  ///< log of (rate of action on items of the first category) / (the user's rate overall)
    double fine = 0;    ///< log of (rate at the last category) / (rate at the first)
  };
  /// Each category's rate is shrunk towards the one before it, the first towards the user's own. Near 0 where the
  /// client sends no impressions.
  Lift LiftOf(std::span<const uint64_t> categories) const;

 private:
  absl::flat_hash_map<uint64_t, Category> categories_;
  double rate_ = 0;  ///< value of an item seen, over all categories
  static const Category none_;
};

/// What actions of this summed strength say about liking the item, in [0, 1): the first says most.
double ActionValue(double strength);

}  // namespace bowerbird::rank
