#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "evaluate/metrics.h"
#include "learn/cf/co_occurrence.h"
#include "learn/cf/ials.h"
#include "learn/cf/interactions.h"

namespace bowerbird::evaluate {

/// Scores every item for some users: what all protocols measure.
///
/// Threads  const methods may run on any thread at once.
class Ranker {
 public:
  virtual ~Ranker() = default;
  /// scores {users.size(), item_count} row-major; higher is better; finite.
  virtual void Score(std::span<const uint32_t> users, std::span<float> scores) const = 0;
};

/// Inner products of trained factors. The model outlives it.
class IalsRanker final : public Ranker {
 public:
  explicit IalsRanker(const learn::cf::IalsModel& model) : model_(model) {}
  void Score(std::span<const uint32_t> users, std::span<float> scores) const override;

 private:
  const learn::cf::IalsModel& model_;
};

/// The sum of list scores over the user's train items, each by its weight; items in no list follow, most popular first.
/// The arguments outlive it.
class CoOccurrenceRanker final : public Ranker {
 public:
  CoOccurrenceRanker(const learn::cf::CoOccurrenceLists& lists, const learn::cf::Interactions& train);
  void Score(std::span<const uint32_t> users, std::span<float> scores) const override;

 private:
  const learn::cf::CoOccurrenceLists& lists_;
  const learn::cf::Interactions& train_;
  std::vector<float> popularity_;  // in [-1, 0)
};

/// The summed train weight of each item.
class PopularityRanker final : public Ranker {
 public:
  explicit PopularityRanker(const learn::cf::Interactions& train);
  void Score(std::span<const uint32_t> users, std::span<float> scores) const override;

 private:
  std::vector<float> popularity_;
};

/// Uniform draws, the same for the same seed and user.
class RandomRanker final : public Ranker {
 public:
  RandomRanker(uint64_t seed, uint32_t item_count) : seed_(seed), item_count_(item_count) {}
  void Score(std::span<const uint32_t> users, std::span<float> scores) const override;

 private:
  uint64_t seed_;
  uint32_t item_count_;
};

/// The k best items of each user in `users`, items of their row in `masked` left out; ties go to the smaller item. All
/// items are ranked.
RankedLists RankAll(const Ranker& ranker, std::span<const uint32_t> users, const learn::cf::SparseRows& masked,
                    uint32_t item_count, uint32_t k, uint32_t threads);

}  // namespace bowerbird::evaluate
