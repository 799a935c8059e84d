#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "sim/world/world.h"

namespace bowerbird::sim::trial {

/// What an action is worth, as a product would say that knows nothing of the truth.
double ActionValue(world::ActionType type);

/// What a product can know from public fields and events: smoothed rates of action, as log lifts over what is usual.
/// All that made recipes rank by.
class ObservedTastes {
 public:
  struct ItemFacts {
    uint32_t topic = 0, subtopic = 0, style = 0;
    float quality = 0;     ///< log lift over its subtopic
    float popularity = 0;  ///< log(1 + actions)
    float freshness = 0;   ///< exp(-age / 8 days) when the history ends
  };
  /// By number of topic, subtopic and style: log lifts of a topic over all, a subtopic over its topic, a style over
  /// all.
  struct Likings {
    std::vector<float> topics, subtopics, styles;
  };

  /// Runs the world's history.
  explicit ObservedTastes(world::World& world);

  /// Of the world's Items(), in their order.
  std::span<const ItemFacts> items() const { return items_; }
  const Likings& Of(world::UserNumber user) const { return likings_[user.value]; }
  bool HasSeen(world::UserNumber user, uint32_t item) const { return counts_[user.value].seen.contains(item); }
  /// Actions' value on a page of the history, mean of the user's pages: a covariate from before. 0 of who had none.
  double ValueBefore(world::UserNumber user) const {
    const OfUser& counted = counts_[user.value];
    return counted.pages > 0 ? counted.value / counted.pages : 0;
  }

 private:
  struct Rate {
    double actions = 0, looks = 0;
    double Smoothed(double prior, double strength) const { return (actions + strength * prior) / (looks + strength); }
  };
  struct OfUser {
    std::vector<Rate> topics, subtopics, styles;
    absl::flat_hash_set<uint32_t> seen;
    double value = 0;
    uint32_t pages = 0;
    uint64_t last_page = 0;
  };
  void NumberFields(const world::World& world);
  void Count(const world::Event& event);
  void Rates(const world::World& world);

  std::vector<ItemFacts> items_;
  size_t topics_ = 0, subtopics_ = 0, styles_ = 0;
  std::vector<OfUser> counts_;
  std::vector<Rate> item_rates_;
  std::vector<Likings> likings_;
};

}  // namespace bowerbird::sim::trial
