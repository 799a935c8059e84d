#include "blend/interleave.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::blend {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;

using Ranking = std::vector<uint64_t>;

std::vector<DraftedItem> Drafted(const std::vector<Ranking>& rankings, uint32_t n, uint64_t seed,
                                 std::vector<PinnedItem> pins = {}) {
  std::vector<std::span<const uint64_t>> spans(rankings.begin(), rankings.end());
  base::Rng rng(seed);
  const auto page = TeamDraft(spans, pins, n, rng);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? *page : std::vector<DraftedItem>();
}

TEST(TeamDraftTest, EachTeamPicksItsBestOfEachRound) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto page = Drafted({{1, 2, 3, 4}, {11, 12, 13, 14}}, 4, seed);
    ASSERT_EQ(page.size(), 4u);
    EXPECT_THAT(
        (std::vector<DraftedItem>{page[0], page[1]}),
        AnyOf(ElementsAre(DraftedItem{1, 0}, DraftedItem{11, 1}), ElementsAre(DraftedItem{11, 1}, DraftedItem{1, 0})));
    EXPECT_THAT(
        (std::vector<DraftedItem>{page[2], page[3]}),
        AnyOf(ElementsAre(DraftedItem{2, 0}, DraftedItem{12, 1}), ElementsAre(DraftedItem{12, 1}, DraftedItem{2, 0})));
  }
}

TEST(TeamDraftTest, WhatAllWouldPickNextCountsForNobodyAndTheRestIsDrafted) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto page = Drafted({{1, 2, 3, 4, 5}, {1, 2, 4, 3, 5}}, 5, seed);
    ASSERT_EQ(page.size(), 5u);
    EXPECT_EQ(page[0], (DraftedItem{1, kNoTeam}));
    EXPECT_EQ(page[1], (DraftedItem{2, kNoTeam}));
    EXPECT_THAT((std::vector<DraftedItem>{page[2], page[3]}), AnyOf(ElementsAre(DraftedItem{3, 0}, DraftedItem{4, 1}),
                                                                    ElementsAre(DraftedItem{4, 1}, DraftedItem{3, 0})));
    EXPECT_EQ(page[4], (DraftedItem{5, kNoTeam}));
  }
}

TEST(TeamDraftTest, AnItemAboveAnotherwiseEqualRankingGivesBothTeamsOnePick) {
  // Had team 0 only to pick 9 before both agree on all that is left, clicks on anything would favour it.
  for (uint64_t seed = 0; seed < 50; ++seed) {
    std::map<Team, int> picks;
    for (const DraftedItem& item : Drafted({{9, 1, 2, 3, 4}, {1, 2, 3, 4, 5}}, 5, seed)) ++picks[item.team];
    EXPECT_EQ(picks[0], 1);
    EXPECT_EQ(picks[1], 1);
  }
}

TEST(TeamDraftTest, WhenARankingEndsTheOthersFillThePageForNobody) {
  const auto page = Drafted({{1}, {11, 12, 13}}, 10, 7);
  ASSERT_EQ(page.size(), 4u);
  EXPECT_EQ(page[2], (DraftedItem{12, kNoTeam}));
  EXPECT_EQ(page[3], (DraftedItem{13, kNoTeam}));
  EXPECT_THAT(Drafted({{}, {11, 12}}, 10, 7), ElementsAre(DraftedItem{11, kNoTeam}, DraftedItem{12, kNoTeam}));
  EXPECT_TRUE(Drafted({{}, {}}, 10, 7).empty());
  EXPECT_TRUE(Drafted({{1}, {2}}, 0, 7).empty());
}

TEST(TeamDraftTest, PinsStandAtTheirPlaceForNobodyAndLastWhereThePageIsTooShort) {
  const auto page = Drafted({{1, 2, 3}, {2, 1, 4}}, 6, 3, {{0, 4}, {2, 99}, {5, 77}, {6, 1}});
  ASSERT_EQ(page.size(), 6u);
  EXPECT_EQ(page[0], (DraftedItem{4, kNoTeam}));
  EXPECT_EQ(page[2], (DraftedItem{99, kNoTeam}));
  EXPECT_EQ(page[4], (DraftedItem{3, kNoTeam}));
  EXPECT_EQ(page[5], (DraftedItem{77, kNoTeam}));
  EXPECT_EQ(Drafted({{1}, {1}}, 9, 3, {{8, 5}}).back(), (DraftedItem{5, kNoTeam}));
}

TEST(TeamDraftTest, PassesOverWhatACapForbids) {
  // Tens are the category: at most two of each, the pin 31 among them.
  const std::vector<Ranking> rankings = {{10, 11, 12, 20, 21, 30, 32, 33}, {13, 14, 22, 23, 34, 35, 40, 41}};
  std::vector<std::span<const uint64_t>> spans(rankings.begin(), rankings.end());
  std::map<uint64_t, std::vector<uint64_t>> categories;
  for (uint64_t item = 10; item < 50; ++item) categories[item] = {item / 10};
  const DraftCaps caps{2, [&](uint64_t item) { return std::span<const uint64_t>(categories[item]); }};
  const std::vector<PinnedItem> pins = {{1, 31}};
  for (uint64_t seed = 0; seed < 50; ++seed) {
    base::Rng rng(seed);
    const auto page = TeamDraft(spans, pins, 8, rng, caps);
    ASSERT_TRUE(page.ok()) << page.status();
    std::map<uint64_t, int> counts;
    for (const DraftedItem& item : *page) ++counts[item.item / 10];
    EXPECT_EQ(page->size(), 8u);
    EXPECT_THAT(counts, testing::UnorderedElementsAre(testing::Pair(1, 2), testing::Pair(2, 2), testing::Pair(3, 2),
                                                      testing::Pair(4, 2)));
    EXPECT_EQ((*page)[1], (DraftedItem{31, kNoTeam}));
  }
}

TEST(TeamDraftTest, ARankingThatTheCapsExhaustWithinARoundLeavesNobodyWithMore) {
  // Treatment's items are all of one category, of which the control takes some, too: alike for both, whoever picks
  // first.
  const std::vector<Ranking> rankings = {{10, 20, 11, 30, 40, 50}, {12, 13, 14, 15}};
  std::vector<std::span<const uint64_t>> spans(rankings.begin(), rankings.end());
  std::map<uint64_t, std::vector<uint64_t>> categories;
  for (uint64_t item = 10; item < 60; ++item) categories[item] = {item / 10, item / 10};
  for (uint32_t cap = 1; cap <= 4; ++cap) {
    const DraftCaps caps{cap, [&](uint64_t item) { return std::span<const uint64_t>(categories[item]); }};
    for (uint64_t seed = 0; seed < 50; ++seed) {
      base::Rng rng(seed);
      const auto page = TeamDraft(spans, {}, 6, rng, caps);
      ASSERT_TRUE(page.ok()) << page.status();
      std::map<Team, int> picks;
      for (const DraftedItem& item : *page) ++picks[item.team];
      EXPECT_EQ(picks[0], picks[1]) << "cap " << cap << ", seed " << seed;
    }
  }
}

TEST(TeamDraftTest, RefusesWhatIsNoDraft) {
  base::Rng rng(1);
  const Ranking one{1};
  const std::vector<std::span<const uint64_t>> lone = {one}, two = {one, one}, many(kTeamsMax + 1, one);
  EXPECT_THAT(TeamDraft(lone, {}, 5, rng).status().message(), HasSubstr("rankings: found 1, expected 2 to 16"));
  EXPECT_FALSE(TeamDraft(many, {}, 5, rng).ok());
  const PinnedItem same_place[] = {{1, 5}, {1, 6}}, same_item[] = {{1, 5}, {2, 5}};
  EXPECT_THAT(TeamDraft(two, same_place, 5, rng).status().message(), HasSubstr("pins: found two of place 1"));
  EXPECT_THAT(TeamDraft(two, same_item, 5, rng).status().message(), HasSubstr("pins: found item 5 twice"));
}

/// Rankings of up to 20 of 30 items, some of them named again; often alike.
std::vector<Ranking> RandomRankings(base::Rng& rng) {
  std::vector<Ranking> rankings(2 + rng.Below(3));
  Ranking first;
  for (uint64_t length = rng.Below(21); first.size() < length;) first.push_back(rng.Below(30));
  for (Ranking& ranking : rankings) {
    ranking = first;
    for (uint64_t changes = rng.Below(4); changes > 0 && !ranking.empty(); --changes) {
      const uint64_t a = rng.Below(ranking.size()), b = rng.Below(ranking.size());
      if (rng.Bernoulli(.3)) ranking[a] = rng.Below(60);
      std::swap(ranking[a], ranking[b]);
      if (rng.Bernoulli(.2)) ranking.resize(b);
    }
  }
  return rankings;
}

TEST(TeamDraftTest, HoldsForAnyRankings) {
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    base::Rng rng(seed);
    const std::vector<Ranking> rankings = RandomRankings(rng);
    std::vector<PinnedItem> pins;
    if (rng.Bernoulli(.4)) pins = {{static_cast<uint32_t>(rng.Below(8)), rng.Below(40)}, {9, 1000}};
    const auto n = static_cast<uint32_t>(rng.Below(80));
    const auto page = Drafted(rankings, n, seed, pins);
    SCOPED_TRACE("seed " + std::to_string(seed));

    std::set<uint64_t> all, shown;
    for (const Ranking& ranking : rankings) all.insert(ranking.begin(), ranking.end());
    for (const PinnedItem& pin : pins) {
      if (pin.place < n) all.insert(pin.item);
    }
    std::map<Team, size_t> picks;
    for (const DraftedItem& item : page) {
      EXPECT_TRUE(shown.insert(item.item).second) << item.item << " stands twice";
      EXPECT_TRUE(all.contains(item.item)) << item.item << " is of no ranking";
      if (item.team != kNoTeam) ++picks[item.team];
    }
    EXPECT_EQ(page.size(), std::min<size_t>(n, all.size()));
    if (rankings.size() == 2) {
      EXPECT_LE(std::max(picks[0], picks[1]) - std::min(picks[0], picks[1]), 1u);
    }

    for (Team team = 0; team < rankings.size(); ++team) {
      const Ranking& ranking = rankings[team];
      auto from = ranking.begin();
      for (const DraftedItem& item : page) {
        if (item.team != team) continue;
        const auto at = std::find(ranking.begin(), ranking.end(), item.item);
        ASSERT_NE(at, ranking.end()) << item.item << " is not of its team's ranking";
        EXPECT_GE(at, from) << item.item << " stands below one that its team ranks lower";
        from = at;
      }
    }
  }
}

TEST(TeamDraftTest, EveryTeamIsFirstAndHasTheOneMoreAsOftenAsTheOthers) {
  constexpr int kPages = 12'000;
  for (const size_t teams : {2u, 3u, 5u}) {
    std::vector<Ranking> rankings;
    for (size_t team = 0; team < teams; ++team) rankings.push_back({100 * team, 100 * team + 1, 100 * team + 2});
    std::map<Team, int> first, more;
    for (int page = 0; page < kPages; ++page) {
      const auto drafted = Drafted(rankings, static_cast<uint32_t>(teams + 1), static_cast<uint64_t>(page));
      ++first[drafted.front().team];
      ++more[drafted.back().team];
    }
    const double expected = static_cast<double>(kPages) / static_cast<double>(teams);
    for (Team team = 0; team < teams; ++team) {
      EXPECT_NEAR(first[team], expected, 4 * std::sqrt(expected)) << teams;
      EXPECT_NEAR(more[team], expected, 4 * std::sqrt(expected)) << teams;
    }
  }
}

TEST(TeamDraftTest, WhoeverClicksRegardlessOfItemsPrefersNobody) {
  // A click at a place that is drawn by a law of its own: the credit's mean is 0, whatever the rankings are.
  base::Rng rng(5);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<Ranking> rankings = RandomRankings(rng);
    rankings.resize(2);
    std::vector<std::span<const uint64_t>> spans(rankings.begin(), rankings.end());
    constexpr int kPages = 4'000;
    double sum = 0, squares = 0;
    for (int number = 0; number < kPages; ++number) {
      const auto page = *TeamDraft(spans, {}, 7, rng);
      if (page.empty()) continue;
      const auto place =
          static_cast<uint32_t>(std::min<double>(2 * rng.Exponential(), static_cast<double>(page.size() - 1)));
      const Earned click[] = {{place, 1}};
      const std::vector<double> credit = *CreditTeams(page, 2, click);
      sum += credit[0] - credit[1];
      squares += (credit[0] - credit[1]) * (credit[0] - credit[1]);
    }
    EXPECT_LE(std::abs(sum), 4 * std::sqrt(squares) + 1e-9) << "trial " << trial;
  }
}

TEST(CreditTeamsTest, AddsWhatEachTeamsItemsEarned) {
  const std::vector<DraftedItem> page = {{7, 1}, {8, kNoTeam}, {9, 0}, {10, 1}};
  const Earned earned[] = {{0, 1}, {1, 100}, {2, .5}, {3, 2}, {0, 1}};
  EXPECT_THAT(*CreditTeams(page, 2, earned), ElementsAre(.5, 4));
  EXPECT_THAT(*CreditTeams(page, 2, {}), ElementsAre(0, 0));
}

TEST(CreditTeamsTest, RefusesPlacesBeyondThePageAndNoNumbers) {
  const std::vector<DraftedItem> page = {{7, 1}};
  const Earned beyond[] = {{1, 1}}, nan[] = {{0, std::nan("")}};
  EXPECT_THAT(CreditTeams(page, 2, beyond).status().message(), HasSubstr("earned.place: found 1"));
  EXPECT_FALSE(CreditTeams(page, 2, nan).ok());
}

}  // namespace
}  // namespace bowerbird::blend
