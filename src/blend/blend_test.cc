#include "blend/blend.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::blend {
namespace {

using testing::ElementsAre;

/// Candidates with the given scores (best first) and one category each.
struct Catalog {
  std::vector<std::vector<uint64_t>> categories;
  std::vector<Candidate> candidates;

  Catalog(const std::vector<double>& scores, std::vector<std::vector<uint64_t>> c) : categories(std::move(c)) {
    for (size_t i = 0; i < scores.size(); ++i) candidates.push_back({scores[i], categories[i]});
  }
};

std::vector<uint32_t> Order(const Page& page) {
  std::vector<uint32_t> order;
  for (const Placed& placed : page.items) order.push_back(placed.candidate);
  return order;
}

TEST(BlendTest, KeepsTheOrderWithoutPolicies) {
  const Catalog c({.9, .8, .7, .6}, {{1}, {1}, {1}, {1}});
  const Page page = Blend(c.candidates, {}, {.n = 3}, nullptr);
  EXPECT_THAT(Order(page), ElementsAre(0, 1, 2));
  EXPECT_EQ(page.items[1].score, .8f);
  EXPECT_EQ(page.items[1].propensity, 0);
  EXPECT_TRUE(page.pools.empty());
}

TEST(BlendTest, GivesWhatThereIs) {
  const Catalog c({.9, .8}, {{1}, {}});
  EXPECT_THAT(Order(Blend(c.candidates, {}, {.n = 5, .diversity = 1, .category_cap = 1}, nullptr)), ElementsAre(0, 1));
  EXPECT_TRUE(Blend({}, {}, {.n = 5}, nullptr).items.empty());
}

TEST(BlendTest, TiesGoToTheEarlier) {
  const Catalog c({.5, .5, .5}, {{1}, {2}, {3}});
  EXPECT_THAT(Order(Blend(c.candidates, {}, {.n = 3, .diversity = .5}, nullptr)), ElementsAre(0, 1, 2));
}

TEST(BlendTest, DiversityPrefersAnotherCategoryThatIsNearlyAsGood) {
  const Catalog c({.9, .89, .85, .2}, {{1}, {1}, {2}, {3}});
  EXPECT_THAT(Order(Blend(c.candidates, {}, {.n = 4, .diversity = .5}, nullptr)), ElementsAre(0, 2, 1, 3));
  // Penalty of the third: one of two above is of its category.
  const Page page = Blend(c.candidates, {}, {.n = 4, .diversity = .5}, nullptr);
  EXPECT_FLOAT_EQ(page.items[2].score, static_cast<float>(.89 * (1 - .5 * (1 / (2 + kDiversityPrior)))));
}

TEST(BlendTest, CountsACategoryNamedTwiceOnce) {
  const Catalog c({.9, .8, .7}, {{1, 1}, {1, 2, 2}, {3}});
  EXPECT_THAT(Order(Blend(c.candidates, {}, {.n = 3, .category_cap = 2}, nullptr)), ElementsAre(0, 1, 2));
}

TEST(BlendTest, CapHoldsForEveryCategoryOfAnItem) {
  const Catalog c({.9, .8, .7, .6, .5}, {{1, 10}, {1, 11}, {2, 10}, {1, 12}, {3}});
  EXPECT_THAT(Order(Blend(c.candidates, {}, {.n = 5, .category_cap = 1}, nullptr)), ElementsAre(0, 4));
  EXPECT_THAT(Order(Blend(c.candidates, {}, {.n = 5, .category_cap = 2}, nullptr)), ElementsAre(0, 1, 2, 4));
}

TEST(BlendTest, PinsStandAtTheirPlaceAndCountTowardsTheCap) {
  const Catalog c({.9, .8, .7, .6}, {{1}, {2}, {1}, {3}});
  const Pin pins[] = {{1, 2}};
  EXPECT_THAT(Order(Blend(c.candidates, pins, {.n = 4, .category_cap = 1}, nullptr)), ElementsAre(1, 2, 3));
  EXPECT_THAT(Order(Blend(c.candidates, pins, {.n = 4}, nullptr)), ElementsAre(0, 2, 1, 3));
}

TEST(BlendTest, PinsStandWhateverTheCapSays) {
  const Catalog c({.9, .8, .7}, {{1}, {1}, {2}});
  const Pin pins[] = {{0, 0}, {2, 1}};
  EXPECT_THAT(Order(Blend(c.candidates, pins, {.n = 3, .category_cap = 1}, nullptr)), ElementsAre(0, 2, 1));
}

TEST(BlendTest, PinsBeyondTheLastItemStandLast) {
  const Catalog c({.9, .8, .7}, {{1}, {2}, {3}});
  const Pin pins[] = {{4, 0}, {7, 1}};
  EXPECT_THAT(Order(Blend(c.candidates, pins, {.n = 9}, nullptr)), ElementsAre(2, 0, 1));
}

/// A page with everything at once, for the tests of the draw.
Catalog Mixed(uint32_t count) {
  std::vector<double> scores;
  std::vector<std::vector<uint64_t>> categories;
  for (uint32_t i = 0; i < count; ++i) {
    scores.push_back(.9 * std::pow(.97, i));
    categories.push_back({i % 7, 100 + i % 3});
  }
  return Catalog(scores, categories);
}

TEST(BlendDrawTest, PropensitiesSumToOneOverEachPool) {
  const Catalog c = Mixed(300);
  const Pin pins[] = {{2, 9}};
  base::Rng rng(7);
  const Page page = Blend(c.candidates, pins, {.n = 20, .diversity = .4, .category_cap = 9, .temperature = .1}, &rng);
  ASSERT_EQ(page.items.size(), 20u);
  ASSERT_EQ(page.pools.size(), 20u);
  for (size_t place = 0; place < page.pools.size(); ++place) {
    const DrawPool& pool = page.pools[place];
    ASSERT_LE(pool.candidates.size(), kDrawItemsMax);
    double sum = 0;
    for (size_t i = 0; i < pool.candidates.size(); ++i) sum += DrawProbability(pool.logits, i);
    EXPECT_NEAR(sum, 1, 1e-12);
    const auto chosen = std::find(pool.candidates.begin(), pool.candidates.end(), page.items[place].candidate);
    ASSERT_NE(chosen, pool.candidates.end());
    EXPECT_EQ(page.items[place].propensity, DrawProbability(pool.logits, chosen - pool.candidates.begin()));
  }
  EXPECT_EQ(page.items[2].candidate, 9u);
  EXPECT_TRUE(page.items[2].pinned);
  EXPECT_EQ(page.items[2].propensity, 1);
}

TEST(BlendDrawTest, PoolsHoldOnlyWhatMayStandThere) {
  const Catalog c = Mixed(150);
  const Pin pins[] = {{0, 3}, {5, 4}};
  for (uint64_t seed = 0; seed < 50; ++seed) {
    base::Rng rng(seed);
    const Policy policy{.n = 12, .diversity = .2, .category_cap = 4, .temperature = .2};
    const Page page = Blend(c.candidates, pins, policy, &rng);
    std::map<uint64_t, uint32_t> counts;
    for (const Pin& pin : pins) {
      for (const uint64_t category : c.categories[pin.candidate]) ++counts[category];
    }
    std::vector<uint32_t> above;
    for (size_t place = 0; place < page.items.size(); ++place) {
      for (const uint32_t candidate : page.pools[place].candidates) {
        EXPECT_EQ(std::count(above.begin(), above.end(), candidate), 0);
        if (page.items[place].pinned) continue;
        EXPECT_TRUE(candidate != 3 && candidate != 4);
        for (const uint64_t category : c.categories[candidate]) EXPECT_LT(counts[category], policy.category_cap);
      }
      above.push_back(page.items[place].candidate);
      if (page.items[place].pinned) continue;
      for (const uint64_t category : c.categories[page.items[place].candidate]) ++counts[category];
    }
  }
}

TEST(BlendDrawTest, FrequenciesMatchThePropensities) {
  const Catalog c({.50, .45, .40, .30, .10}, {{1}, {1}, {2}, {2}, {3}});
  const Policy policy{.n = 2, .diversity = .5, .temperature = .15};
  constexpr int kDraws = 40'000;
  std::map<uint32_t, int> first;
  std::map<std::pair<uint32_t, uint32_t>, int> both;
  std::map<uint32_t, double> first_propensity;
  std::map<std::pair<uint32_t, uint32_t>, double> second_propensity;
  for (uint64_t seed = 0; seed < kDraws; ++seed) {
    base::Rng rng(seed);
    const Page page = Blend(c.candidates, {}, policy, &rng);
    const uint32_t a = page.items[0].candidate, b = page.items[1].candidate;
    ++first[a];
    ++both[{a, b}];
    first_propensity[a] = page.items[0].propensity;
    second_propensity[{a, b}] = page.items[1].propensity;
  }
  for (const auto& [a, count] : first) {
    const double p = first_propensity[a];
    EXPECT_NEAR(count, kDraws * p, 5 * std::sqrt(kDraws * p * (1 - p))) << a;
  }
  for (const auto& [pair, count] : both) {
    const double p = second_propensity[pair];
    EXPECT_NEAR(count, first[pair.first] * p, 5 * std::sqrt(first[pair.first] * p * (1 - p)) + 1)
        << pair.first << " then " << pair.second;
  }
  EXPECT_EQ(both.size(), 20u);
}

TEST(BlendDrawTest, ASeedGivesOneAnswer) {
  const Catalog c = Mixed(120);
  const Policy policy{.n = 25, .diversity = .3, .temperature = .3};
  base::Rng one(5), two(5), three(6);
  EXPECT_EQ(Order(Blend(c.candidates, {}, policy, &one)), Order(Blend(c.candidates, {}, policy, &two)));
  EXPECT_NE(Order(Blend(c.candidates, {}, policy, &one)), Order(Blend(c.candidates, {}, policy, &three)));
}

TEST(BlendDrawTest, ALowTemperatureKeepsTheOrder) {
  const Catalog c({.9, .7, .5, .3}, {{1}, {2}, {3}, {4}});
  base::Rng rng(11);
  EXPECT_THAT(Order(Blend(c.candidates, {}, {.n = 4, .temperature = 1e-4}, &rng)), ElementsAre(0, 1, 2, 3));
}

TEST(RetraceTest, ADrawnPageUnderItsOwnPolicyIsThePage) {
  const Catalog c({.9, .8, .7, .6, .5, .4, .3, .2}, {{1}, {1}, {2}, {2}, {3}, {1, 3}, {}, {2}});
  const std::vector<Pin> pins = {{1, 6}};
  const Policy policy{.n = 5, .diversity = .6, .category_cap = 2, .temperature = .2};
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    base::Rng rng(seed);
    const Page drawn = Blend(c.candidates, pins, policy, &rng);
    const Page traced = Retrace(c.candidates, pins, policy, Order(drawn));
    ASSERT_EQ(Order(traced), Order(drawn));
    for (size_t place = 0; place < drawn.items.size(); ++place) {
      EXPECT_EQ(traced.items[place].propensity, drawn.items[place].propensity);
      EXPECT_EQ(traced.items[place].pinned, drawn.items[place].pinned);
      EXPECT_EQ(traced.items[place].score, drawn.items[place].score);
      EXPECT_EQ(traced.pools[place].candidates, drawn.pools[place].candidates);
      EXPECT_EQ(traced.pools[place].logits, drawn.pools[place].logits);
    }
  }
}

TEST(RetraceTest, WhatAnotherPolicysPoolDoesNotHaveHasNoProbability) {
  const Catalog c({.9, .8, .7}, {{1}, {1}, {2}});
  const std::vector<uint32_t> page = {0, 1, 2};
  const Page traced = Retrace(c.candidates, {}, {.category_cap = 1, .temperature = .2}, page);
  EXPECT_EQ(traced.items[1].propensity, 0) << "the cap leaves its category one place";
  EXPECT_THAT(traced.pools[1].candidates, ElementsAre(2));
  EXPECT_EQ(traced.items[2].propensity, 1);
  EXPECT_TRUE(Retrace(c.candidates, {}, {}, {}).items.empty());
}

}  // namespace
}  // namespace bowerbird::blend
