#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/rng.h"
#include "experiment/ope/plackett_luce.h"
#include "experiment/ope/reward_model.h"

namespace bowerbird::experiment::ope {

/// Two Plackett-Luce policies over a few items, small enough that everything about them can be enumerated.
struct SmallWorld {
  std::vector<float> logged = {0.9f, 0.3f, 0.0f, -0.4f, -0.8f};
  std::vector<float> target = {-0.6f, 0.2f, 0.5f, 0.4f, -0.1f};
  uint32_t positions = 3;
  /// Probability of a reward of 1 at the last position of a page's top part.
  std::function<double(std::span<const uint32_t> top)> reward;
};

/// Rewards that the item and its position alone decide.
inline double ByItemAndPosition(std::span<const uint32_t> top) {
  return 0.1 + 0.12 * top.back() / static_cast<double>(top.size());
}

/// Rewards that fall when the item above is near in number, and when good items stand above.
inline double ByItemsAbove(std::span<const uint32_t> top) {
  double reward = 0.2 + 0.15 * top.back();
  for (size_t above = 0; above + 1 < top.size(); ++above) reward *= top[above] + 1 == top.back() ? 0.2 : 0.8;
  return reward;
}

/// Every ordered page, with its probability under `log_weights`.
inline void ForEachPage(std::span<const float> log_weights, uint32_t positions,
                        absl::FunctionRef<void(std::span<const uint32_t> page, double probability)> visit) {
  std::vector<uint32_t> page;
  const std::function<void()> extend = [&] {
    if (page.size() == positions) {
      double probability = 1;
      for (const double given : ConditionalProbabilities(log_weights, page)) probability *= given;
      return visit(page, probability);
    }
    for (uint32_t item = 0; item < log_weights.size(); ++item) {
      if (std::find(page.begin(), page.end(), item) != page.end()) continue;
      page.push_back(item);
      extend();
      page.pop_back();
    }
  };
  extend();
}

/// {positions, items}, row-major.
inline std::vector<double> ExactMarginals(std::span<const float> log_weights, uint32_t positions) {
  std::vector<double> result(positions * log_weights.size());
  ForEachPage(log_weights, positions, [&](std::span<const uint32_t> page, double probability) {
    for (uint32_t k = 0; k < positions; ++k) result[k * log_weights.size() + page[k]] += probability;
  });
  return result;
}

inline double ExactValue(const SmallWorld& world, std::span<const float> log_weights) {
  double value = 0;
  ForEachPage(log_weights, world.positions, [&](std::span<const uint32_t> page, double probability) {
    for (uint32_t k = 1; k <= world.positions; ++k) value += probability * world.reward(page.first(k));
  });
  return value;
}

/// A log of the logging policy.
inline std::vector<LoggedSlate> Simulate(const SmallWorld& world, size_t requests, uint64_t seed) {
  const std::vector<double> logged = ExactMarginals(world.logged, world.positions);
  const std::vector<double> target = ExactMarginals(world.target, world.positions);
  base::Rng rng(seed);
  std::vector<LoggedSlate> slates(requests);
  for (size_t s = 0; s < requests; ++s) {
    slates[s].request = "r" + std::to_string(s);
    const std::vector<uint32_t> page = DrawPage(world.logged, world.positions, &rng);
    const std::vector<double> logged_given = ConditionalProbabilities(world.logged, page);
    const std::vector<double> target_given = ConditionalProbabilities(world.target, page);
    for (uint32_t k = 0; k < world.positions; ++k) {
      const size_t at = k * world.logged.size() + page[k];
      slates[s].positions.push_back({.position = k,
                                     .item = page[k],
                                     .logged = {logged_given[k], logged[at]},
                                     .target = {target_given[k], target[at]},
                                     .reward = rng.Bernoulli(world.reward(std::span(page).first(k + 1))) ? 1.0 : 0.0});
    }
  }
  return slates;
}

/// What the target shows at a place given the items above.
class TargetOf {
 public:
  explicit TargetOf(const SmallWorld& world) : world_(world) {}

  std::span<const ItemShare> operator()(const LoggedSlate& slate, size_t place) const {
    std::vector<uint32_t> page;
    for (size_t above = 0; above < place; ++above) page.push_back(static_cast<uint32_t>(slate.positions[above].item));
    shares_.clear();
    page.push_back(0);
    for (uint32_t item = 0; item < world_.target.size(); ++item) {
      if (std::find(page.begin(), page.end() - 1, item) != page.end() - 1) continue;
      page.back() = item;
      shares_.push_back({item, ConditionalProbabilities(world_.target, page).back()});
    }
    return shares_;
  }

 private:
  const SmallWorld& world_;
  mutable std::vector<ItemShare> shares_;
};

}  // namespace bowerbird::experiment::ope
