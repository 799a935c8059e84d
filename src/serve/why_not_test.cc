#include "serve/why_not.h"

#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr uint32_t kNowS = static_cast<uint32_t>(CatalogForTest::kNowUs / 1'000'000);

std::string Home(const std::string& more) {
  return "[surfaces.home]\ngenerators = ['for_you', 'because', 'trending', 'fresh', 'popular']\nexplore = 0\n" + more;
}

/// The outcome of one item of a request on surface `home`.
AnswerOutcome Outcome(const RequestForTest& shop, const std::string& item, const std::string& request) {
  const Answer answer = shop.Ask(fmt::format("surface: 'home' explain_items: '{}' {}", item, request));
  BOWERBIRD_CHECK(answer.outcomes.size() == 1 && answer.outcomes[0].id == item);
  return answer.outcomes[0];
}

TEST(WhyNotTest, SaysNothingUnlessAsked) {
  const RequestForTest shop;
  EXPECT_THAT(shop.Ask("surface: 'home'").outcomes, SizeIs(0));
}

TEST(WhyNotTest, ShownItemsComeWithTheirPosition) {
  RequestForTest shop({.items = 60, .config = Home("")});
  shop.user = shop.catalog.User({{"save", 4}});
  const Answer answer = shop.Ask("surface: 'home' n: 10");
  const AnswerOutcome outcome = Outcome(shop, answer.items[6].id, "n: 10");
  EXPECT_EQ(outcome.stage, "shown");
  EXPECT_EQ(outcome.code, "shown");
  EXPECT_EQ(outcome.position, 7u);
  EXPECT_EQ(outcome.score, answer.items[6].score);
  EXPECT_GT(outcome.rank, 0u);
  EXPECT_FALSE(outcome.generator.empty());
}

TEST(WhyNotTest, Catalog) {
  RequestForTest shop({.items = 30});
  shop.catalog.Withdraw(4);
  shop.catalog.items[5].set_available(false);
  shop.catalog.Apply(shop.catalog.items[5]);
  shop.catalog.Delete(6);
  EXPECT_EQ(Outcome(shop, "never heard of", "").code, "unknown_item");
  EXPECT_EQ(Outcome(shop, "item-00006", "").code, "unknown_item");
  EXPECT_EQ(Outcome(shop, "item-00004", "").code, "withdrawn");
  EXPECT_EQ(Outcome(shop, "item-00005", "").code, "unavailable");
  EXPECT_EQ(Outcome(shop, "item-00005", "").stage, "catalog");
}

TEST(WhyNotTest, FiltersNameTheTermThatFails) {
  const RequestForTest shop({.items = 100, .config = Home("filter = \"price >= 10 and price < 60\"")});
  const AnswerOutcome surface = Outcome(shop, "item-00070", "");
  EXPECT_EQ(surface.stage, "filter");
  EXPECT_EQ(surface.code, "surface_filter");
  EXPECT_THAT(surface.detail, HasSubstr("price < 60"));
  EXPECT_THAT(surface.detail, testing::Not(HasSubstr("price >= 10")));
  const AnswerOutcome request = Outcome(shop, "item-00025", "filter: 'price > 20 and categories contains \"topic-7\"'");
  EXPECT_EQ(request.code, "request_filter");
  EXPECT_THAT(request.detail, HasSubstr("filter: categories contains \"topic-7\""));
}

TEST(WhyNotTest, TheFirstStageNamesThePlaceItGave) {
  RequestForTest shop({.items = 400, .config = Home("ranked_max = 30")});
  shop.user = shop.catalog.User({{"save", 4}, {"save", 14}, {"save", 24}});
  const AnswerOutcome outcome = Outcome(shop, "item-00399", "n: 10");
  EXPECT_EQ(outcome.stage, "rank");
  EXPECT_EQ(outcome.code, "ranked_max");
  EXPECT_THAT(outcome.detail, HasSubstr("candidates in the ranker's first stage, and surface 'home' ranks only 30"));
}

TEST(WhyNotTest, UserAndRequest) {
  RequestForTest shop({.items = 60, .config = Home("")});
  CatalogForTest::Hide(shop.catalog.Key(14), &shop.user);
  shop.overlay.push_back({"item-00024", shop.catalog.Key(24)});
  CatalogForTest::See(shop.catalog.Key(15), kNowS - 60, &shop.user);
  EXPECT_EQ(Outcome(shop, "item-00014", "").code, "hidden");
  EXPECT_EQ(Outcome(shop, "item-00024", "").code, "hidden");
  EXPECT_EQ(Outcome(shop, "item-00024", "").stage, "user");
  EXPECT_EQ(Outcome(shop, "item-00007", "exclude: 'item-00007'").code, "excluded");
  const AnswerOutcome seen = Outcome(shop, "item-00015", "");
  EXPECT_EQ(seen.code, "seen");
  EXPECT_THAT(seen.detail, HasSubstr("2025-10-09T08:52:20"));
}

TEST(WhyNotTest, ARelatedSurfaceDoesNotShowItsItem) {
  const RequestForTest shop;
  const Answer answer =
      shop.Ask("surface: 'related' item: 'item-00033' explain_items: 'item-00033' explain_items: 'item-00034'");
  ASSERT_THAT(answer.outcomes, SizeIs(2));
  EXPECT_EQ(answer.outcomes[0].code, "is_the_item");
  EXPECT_EQ(answer.outcomes[1].id, "item-00034");
}

TEST(WhyNotTest, EarlierPages) {
  RequestForTest shop({.items = 60, .config = Home("")});
  for (const uint32_t item : {3u, 9u}) shop.chain.shown.push_back(shop.catalog.Key(item));
  shop.chain.page = 1;
  const AnswerOutcome outcome = Outcome(shop, "item-00009", "n: 5");
  EXPECT_EQ(outcome.stage, "chain");
  EXPECT_EQ(outcome.code, "shown_earlier");
  EXPECT_EQ(outcome.position, 2u);
}

TEST(WhyNotTest, WhatNoGeneratorProposedNamesTheNearest) {
  RequestForTest shop(
      {.items = 300,
       .config = "[generators.few]\nkind = 'ials'\ncount = 20\n[generators.hot]\nkind = 'trending'\n"
                 "half_life = '1d'\nwindow = '7d'\n[surfaces.home]\ngenerators = ['few', 'hot']\nexplore = 0\n"});
  shop.user = shop.catalog.User({{"save", 4}});
  const AnswerOutcome far = Outcome(shop, "item-00297", "n: 10");
  EXPECT_EQ(far.stage, "retrieve");
  EXPECT_EQ(far.code, "not_proposed");
  EXPECT_EQ(far.generator, "few");
  EXPECT_EQ(far.generator_count, 20u);
  EXPECT_GT(far.generator_rank, 20u);
  EXPECT_EQ(far.rank, 0u) << "it was not ranked";

  shop.user = shop.catalog.User({});
  shop.catalog.table->tops["hot"] = {{shop.catalog.Key(1), 3}};
  const AnswerOutcome none = Outcome(shop, "item-00297", "n: 1");
  EXPECT_EQ(none.code, "not_proposed");
  EXPECT_EQ(none.generator, "");
  EXPECT_THAT(none.detail, HasSubstr("few, hot"));
}

TEST(WhyNotTest, TheBoundOnCandidates) {
  RequestForTest shop({.items = 300, .config = Home("candidates_max = 10")});
  shop.user = shop.catalog.User({{"save", 4}});
  std::set<std::string_view> codes;
  for (const v1::Item& item : shop.catalog.items) {
    const AnswerOutcome outcome = Outcome(shop, item.id(), "n: 5");
    codes.insert(outcome.code);
    if (outcome.code != "candidates_max") continue;
    EXPECT_LE(outcome.generator_rank, outcome.generator_count);
    EXPECT_THAT(outcome.detail, HasSubstr("only 10 candidates"));
  }
  EXPECT_TRUE(codes.contains("candidates_max"));
}

TEST(WhyNotTest, WhatRankedBelowSaysByHowMuch) {
  RequestForTest shop({.items = 100, .config = Home("")});
  shop.user = shop.catalog.User({{"save", 4}});
  const Answer all = shop.Ask("surface: 'home' n: 40");
  const AnswerOutcome outcome = Outcome(shop, all.items[25].id, "n: 10");
  EXPECT_EQ(outcome.stage, "rank");
  EXPECT_EQ(outcome.code, "ranked_below");
  EXPECT_EQ(outcome.rank, 26u);
  EXPECT_EQ(outcome.candidates, 99u);
  EXPECT_EQ(outcome.page, 3u);
  EXPECT_EQ(outcome.score, all.items[25].score);
  EXPECT_EQ(outcome.last_score, all.items[9].score);
}

/// An item of `home` that `without` shows among its first `n` and `with` does not.
std::string LostItem(const RequestForTest& with, const RequestForTest& without, uint32_t n,
                     const std::string& request) {
  const std::string text = fmt::format("surface: 'home' n: {} {}", n, request);
  const std::vector<std::string> there = RequestForTest::Ids(with.Ask(text));
  for (const std::string& id : RequestForTest::Ids(without.Ask(text))) {
    if (std::find(there.begin(), there.end(), id) == there.end()) return id;
  }
  return "";
}

RequestForTest Shop(const std::string& more) {
  RequestForTest shop({.items = 200, .config = Home(more)});
  shop.user = shop.catalog.User({{"save", 4}, {"save", 14}});
  return shop;
}

TEST(WhyNotTest, CategoryCap) {
  const RequestForTest shop = Shop("category_cap = 2");
  const std::string lost = LostItem(shop, Shop(""), 10, "");
  ASSERT_NE(lost, "");
  const AnswerOutcome outcome = Outcome(shop, lost, "n: 10");
  EXPECT_EQ(outcome.stage, "blend");
  EXPECT_EQ(outcome.code, "category_cap");
}

TEST(WhyNotTest, Diversity) {
  const RequestForTest shop = Shop("diversity = 1");
  const std::string lost = LostItem(shop, Shop(""), 20, "");
  ASSERT_NE(lost, "");
  EXPECT_EQ(Outcome(shop, lost, "n: 20").code, "diversity");
}

TEST(WhyNotTest, BuriedNamesTheRule) {
  RequestForTest shop = Shop("");
  const std::string first = shop.Ask("surface: 'home' n: 1").items[0].id;
  const std::string rule = fmt::format("rules {{ kind: 'bury' when: 'id == \"{}\"' factor: 0 }}", first);
  const AnswerOutcome outcome = Outcome(shop, first, "n: 10 " + rule);
  EXPECT_EQ(outcome.stage, "rank");
  EXPECT_EQ(outcome.code, "buried");
  EXPECT_THAT(outcome.rules, testing::ElementsAre("rules[0]"));
  EXPECT_THAT(outcome.detail, HasSubstr("rules[0]"));
}

TEST(WhyNotTest, SeenDemoted) {
  RequestForTest shop = Shop("seen = 'demote'\nseen_factor = 0.01");
  const std::string first = shop.Ask("surface: 'home' n: 1").items[0].id;
  CatalogForTest::See(shop.catalog.Key(first), kNowS - 60, &shop.user);
  EXPECT_EQ(Outcome(shop, first, "n: 10").code, "seen_demoted");
}

TEST(WhyNotTest, DisplacedByPin) {
  const RequestForTest shop = Shop("");
  const std::string last = shop.Ask("surface: 'home' n: 5").items[4].id;
  const AnswerOutcome outcome = Outcome(shop, last, "n: 5 rules { kind: 'pin' item: 'item-00199' position: 1 }");
  EXPECT_EQ(outcome.code, "displaced_by_pin");
}

TEST(WhyNotTest, NotDrawn) {
  RequestForTest shop(
      {.items = 200, .config = "[surfaces.home]\ngenerators = ['popular']\nexplore = 1\ntemperature = 10\n"});
  RequestForTest ordered({.items = 200, .config = "[surfaces.home]\ngenerators = ['popular']\nexplore = 0\n"});
  const std::string lost = LostItem(shop, ordered, 5, "");
  ASSERT_NE(lost, "");
  EXPECT_EQ(Outcome(shop, lost, "n: 5").code, "not_drawn");
}

TEST(WhyNotTest, RefusesTooManyAndEmptyIds) {
  const RequestForTest shop;
  std::string many = "surface: 'home'";
  for (uint32_t i = 0; i <= kExplainItemsMax; ++i) many += " explain_items: 'x'";
  EXPECT_THAT(std::string(shop.Try(many).status().message()), HasSubstr("expected at most 20"));
  EXPECT_FALSE(shop.Try("surface: 'home' explain_items: ''").ok());
}

}  // namespace
}  // namespace bowerbird::serve
