#include "learn/cf/co_occurrence.h"

#include <cmath>
#include <limits>
#include <string>

#include "base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::learn::cf {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

// The cosine without shrinkage: figures that can be checked by hand.
CoOccurrenceOptions Plain() {
  CoOccurrenceOptions options;
  options.popularity_exponent = 0.5;
  options.support_shrinkage = 0;
  return options;
}

std::span<const uint32_t> ItemsOf(const CoOccurrenceLists& lists, uint32_t item) {
  return std::span(lists.items).subspan(lists.offsets[item], lists.offsets[item + 1] - lists.offsets[item]);
}
std::span<const float> ScoresOf(const CoOccurrenceLists& lists, uint32_t item) {
  return std::span(lists.scores).subspan(lists.offsets[item], lists.offsets[item + 1] - lists.offsets[item]);
}

// Users 0 and 1 have items 0 and 1, user 2 has items 0 and 2; item 3 is alone.
const std::vector<uint32_t> kUsers = {0, 0, 1, 1, 2, 2, 3}, kItems = {0, 1, 1, 0, 0, 2, 3};

TEST(CoOccurrenceTest, HalfAsExponentIsTheCosine) {
  auto lists = CountCoOccurrence(4, 4, kUsers, kItems, {}, {}, Plain());
  ASSERT_TRUE(lists.ok());
  EXPECT_THAT(ItemsOf(*lists, 0), ElementsAre(1, 2));
  EXPECT_THAT(ScoresOf(*lists, 0),
              ElementsAre(FloatNear(2 / std::sqrt(6.0f), 1e-6f), FloatNear(1 / std::sqrt(3.0f), 1e-6f)));
  EXPECT_THAT(ItemsOf(*lists, 1), ElementsAre(0));
  EXPECT_THAT(ItemsOf(*lists, 3), ElementsAre());
}

TEST(CoOccurrenceTest, TheExponentMovesFromSharesToLift) {
  CoOccurrenceOptions options = Plain();
  options.popularity_exponent = 0;
  auto shares = CountCoOccurrence(4, 4, kUsers, kItems, {}, {}, options);
  EXPECT_THAT(ScoresOf(*shares, 0), ElementsAre(FloatNear(2 / 3.0f, 1e-6f), FloatNear(1 / 3.0f, 1e-6f)));
  options.popularity_exponent = 1;
  auto lift = CountCoOccurrence(4, 4, kUsers, kItems, {}, {}, options);
  EXPECT_THAT(ScoresOf(*lift, 0), ElementsAre(1, 1));
  EXPECT_THAT(ItemsOf(*lift, 0), ElementsAre(1, 2));  // a tie: the smaller item first
}

TEST(CoOccurrenceTest, DecaysByGap) {
  const std::vector<uint32_t> users = {0, 0, 0}, items = {0, 1, 2};
  const std::vector<int64_t> times = {0, 10, 30};
  CoOccurrenceOptions options = Plain();
  options.gap_half_life_us = 10;
  EXPECT_THAT(ScoresOf(*CountCoOccurrence(1, 3, users, items, times, {}, options), 0), ElementsAre(0.5f, 0.125f));
}

TEST(CoOccurrenceTest, DecaysByTheAgeOfTheLaterAction) {
  // Users 0 and 1 both have item 0, then one other; user 1 a half-life later.
  const std::vector<uint32_t> users = {0, 0, 1, 1}, items = {0, 1, 0, 2};
  const std::vector<int64_t> times = {0, 10, 0, 20};
  CoOccurrenceOptions options = Plain();
  options.popularity_exponent = 0;
  options.age_half_life_us = 10;
  options.now_us = 20;
  auto lists = CountCoOccurrence(2, 3, users, items, times, {}, options);
  EXPECT_THAT(ItemsOf(*lists, 0), ElementsAre(2, 1));
  // Item 0 itself weighs 2 * 2^-2.
  EXPECT_THAT(ScoresOf(*lists, 0), ElementsAre(2.0f, 1.0f));
}

TEST(CoOccurrenceTest, ARepeatCountsOnceWithItsNewestTimeAndLargestWeight) {
  const std::vector<uint32_t> users = {0, 0, 0}, items = {0, 1, 0};
  const std::vector<int64_t> times = {0, 10, 20};
  CoOccurrenceOptions options = Plain();
  options.popularity_exponent = 0;
  options.gap_half_life_us = 10;
  auto lists = CountCoOccurrence(1, 2, users, items, times, std::vector<float>{3, 2, 1}, options);
  EXPECT_THAT(ScoresOf(*lists, 0),
              ElementsAre(FloatNear(1 / 3.0f, 1e-6f)));  // min(3, 2) at a gap of 10; item 0 weighs 3
}

TEST(CoOccurrenceTest, KeepsTheNewestActionsAndTheBestNeighbors) {
  std::vector<uint32_t> users(10, 0), items;
  std::vector<int64_t> times;
  for (uint32_t i = 0; i < 10; ++i) {
    items.push_back(i);
    times.push_back(100 - i);
  }
  CoOccurrenceOptions options = Plain();
  options.max_actions_per_user = 4;
  options.neighbors = 2;
  auto lists = CountCoOccurrence(1, 10, users, items, times, {}, options);
  EXPECT_THAT(ItemsOf(*lists, 0), ElementsAre(1, 2));
  EXPECT_THAT(ItemsOf(*lists, 3), ElementsAre(0, 1));
  EXPECT_THAT(ItemsOf(*lists, 4), ElementsAre());
}

TEST(CoOccurrenceTest, ShrinkageDampsChancePairs) {
  // Item 0: twice with the popular item 1, once with item 2, which nobody else has.
  const std::vector<uint32_t> users = {0, 0, 1, 1, 2, 2, 3}, items = {0, 1, 0, 1, 0, 2, 1};
  CoOccurrenceOptions options = Plain();
  options.popularity_exponent = 1;
  EXPECT_THAT(ItemsOf(*CountCoOccurrence(4, 3, users, items, {}, {}, options), 0), ElementsAre(2, 1));
  options.support_shrinkage = 10;
  EXPECT_THAT(ItemsOf(*CountCoOccurrence(4, 3, users, items, {}, {}, options), 0), ElementsAre(1, 2));
}

TEST(CoOccurrenceTest, EqualsACountOfAllPairsAtAnyThreadCount) {
  constexpr uint32_t kUserCount = 80, kItemCount = 600;
  base::Rng rng(5);
  std::vector<uint32_t> users, items;
  std::vector<int64_t> times;
  std::vector<double> counts(kItemCount * kItemCount), mass(kItemCount);
  for (uint32_t u = 0; u < kUserCount; ++u) {
    std::vector<std::pair<uint32_t, int64_t>> own;
    for (uint32_t i = static_cast<uint32_t>(rng.Below(9)); i < kItemCount;
         i += 1 + static_cast<uint32_t>(rng.Below(30))) {
      own.emplace_back(i, static_cast<int64_t>(rng.Below(1000)));
    }
    for (auto [i, t] : own) {
      users.push_back(u);
      items.push_back(i);
      times.push_back(t);
      mass[i] += std::exp2(-static_cast<double>(2000 - t) / 900);
      for (auto [j, s] : own) {
        if (i != j)
          counts[i * kItemCount + j] += std::exp2(-std::abs(static_cast<double>(t - s)) / 300) *
                                        std::exp2(-static_cast<double>(2000 - std::max(t, s)) / 900);
      }
    }
  }
  CoOccurrenceOptions options = Plain();
  options.neighbors = kItemCount;
  options.gap_half_life_us = 300;
  options.age_half_life_us = 900;
  options.now_us = 2000;
  options.threads = 1;
  auto one = CountCoOccurrence(kUserCount, kItemCount, users, items, times, {}, options);
  options.threads = 4;
  auto four = CountCoOccurrence(kUserCount, kItemCount, users, items, times, {}, options);
  ASSERT_TRUE(one.ok() && four.ok());
  EXPECT_EQ(one->items, four->items);
  EXPECT_EQ(one->scores, four->scores);
  for (uint32_t i = 0; i < kItemCount; ++i) {
    size_t expected_size = 0;
    for (uint32_t j = 0; j < kItemCount; ++j) expected_size += counts[i * kItemCount + j] > 0;
    ASSERT_EQ(ItemsOf(*one, i).size(), expected_size);
    for (size_t k = 0; k < expected_size; ++k) {
      const uint32_t j = ItemsOf(*one, i)[k];
      const double expected = counts[i * kItemCount + j] / std::sqrt(mass[i] * mass[j]);
      ASSERT_NEAR(ScoresOf(*one, i)[k], expected, 1e-5 * expected);
      ASSERT_GE(ScoresOf(*one, i)[k > 0 ? k - 1 : 0], ScoresOf(*one, i)[k]);
    }
  }
}

TEST(CoOccurrenceTest, RefusesBadInput) {
  const auto code = [](std::vector<uint32_t> users, std::vector<uint32_t> items, std::vector<float> weights,
                       CoOccurrenceOptions options) {
    return CountCoOccurrence(2, 2, users, items, {}, weights, options).status().code();
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code({0, 1}, {0}, {}, {}), invalid);
  EXPECT_EQ(code({2}, {0}, {}, {}), invalid);
  EXPECT_EQ(code({0}, {2}, {}, {}), invalid);
  EXPECT_EQ(code({0}, {0}, {0.0f}, {}), invalid);
  CoOccurrenceOptions options = Plain();
  options.popularity_exponent = 2;
  EXPECT_EQ(code({0}, {0}, {}, options), invalid);
  options = {};
  options.gap_half_life_us = -1;
  EXPECT_EQ(code({0}, {0}, {}, options), invalid);
  options = {};
  options.max_actions_per_user = 0;
  EXPECT_EQ(code({0}, {0}, {}, options), invalid);
}

TEST(CoOccurrenceTest, ExtremeTimesAreFine) {
  const std::vector<uint32_t> users = {0, 0, 0}, items = {0, 1, 1};
  const std::vector<int64_t> times = {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
                                      std::numeric_limits<int64_t>::min()};
  CoOccurrenceOptions options = Plain();
  options.gap_half_life_us = 1;
  options.age_half_life_us = 1;
  auto lists = CountCoOccurrence(1, 2, users, items, times, {}, options);
  ASSERT_TRUE(lists.ok());
  EXPECT_TRUE(lists->items.empty());
}

}  // namespace
}  // namespace bowerbird::learn::cf
