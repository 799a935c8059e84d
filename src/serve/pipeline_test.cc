#include "serve/pipeline.h"

#include <algorithm>
#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rank/ranker.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr uint32_t kNowS = static_cast<uint32_t>(CatalogForTest::kNowUs / 1'000'000);

TEST(PipelineTest, ANewVisitorGetsAPage) {
  const RequestForTest shop;
  const Answer answer = shop.Ask("surface: 'home'");
  EXPECT_THAT(answer.items, SizeIs(kItemsDefault));
  EXPECT_EQ(answer.request_id, "request-1");
  EXPECT_EQ(answer.snapshot, "000001");
  EXPECT_TRUE(answer.more);
  for (uint32_t i = 0; i < answer.items.size(); ++i) {
    EXPECT_EQ(answer.items[i].position, i + 1);
    EXPECT_FALSE(answer.items[i].item.has_value());
    EXPECT_FALSE(answer.items[i].explanation.has_value());
  }
}

TEST(PipelineTest, OneActionMakesTheFeedPersonal) {
  RequestForTest shop;
  shop.user = shop.catalog.User({{"save", 104}});
  const std::vector<std::string> ids = RequestForTest::Ids(shop.Ask("surface: 'home' n: 10"));
  EXPECT_GE(std::count_if(ids.begin(), ids.end(), [](const std::string& id) { return id.back() == '4'; }), 6);
  EXPECT_THAT(ids, Not(Contains("item-00104"))) << "seen";
}

TEST(PipelineTest, ANewItemIsRankedByItsContent) {
  RequestForTest shop;
  shop.user = shop.catalog.User({{"save", 104}, {"save", 114}, {"click", 24}});
  v1::Item item = shop.catalog.items[154];
  item.set_id("new in four");
  shop.catalog.Apply(item);
  item.set_id("new in seven");
  item.set_categories(0, "topic-7");
  item.set_categories(1, "topic-7/part-0");
  shop.catalog.Apply(item);
  const std::vector<std::string> ids = RequestForTest::Ids(shop.Ask("surface: 'home' n: 200"));
  const auto place = [&](std::string_view id) { return std::find(ids.begin(), ids.end(), id) - ids.begin(); };
  EXPECT_LT(place("new in four"), 40);
  EXPECT_LT(place("new in four"), place("new in seven"));
}

TEST(PipelineTest, RelatedItemsAreOfTheSameTopic) {
  const RequestForTest shop;
  const std::vector<std::string> ids = RequestForTest::Ids(shop.Ask("surface: 'related' item: 'item-00033' n: 15"));
  ASSERT_THAT(ids, SizeIs(15));
  EXPECT_THAT(ids, Each(EndsWith("3")));
  EXPECT_THAT(ids, Not(Contains("item-00033")));
}

TEST(PipelineTest, NeverShowsWhatIsWithdrawnUnavailableOrDeleted) {
  RequestForTest shop({.items = 30});
  shop.catalog.Withdraw(4);
  shop.catalog.items[5].set_available(false);
  shop.catalog.Apply(shop.catalog.items[5]);
  shop.catalog.Delete(6);
  const std::vector<std::string> ids = RequestForTest::Ids(shop.Ask("surface: 'home' n: 200"));
  EXPECT_THAT(ids, SizeIs(27));
  EXPECT_THAT(ids, Not(Contains(testing::AnyOf("item-00004", "item-00005", "item-00006"))));
  shop.catalog.items[4].set_withdrawn(false);
  shop.catalog.Apply(shop.catalog.items[4]);
  EXPECT_THAT(RequestForTest::Ids(shop.Ask("surface: 'home' n: 200")), Contains("item-00004"));
}

TEST(PipelineTest, NeverShowsWhatTheUserHidOrTheRequestExcludes) {
  RequestForTest shop({.items = 30});
  shop.user = shop.catalog.User({{"save", 4}});
  CatalogForTest::Hide(shop.catalog.Key(14), &shop.user);
  shop.overlay.push_back({"item-00024", shop.catalog.Key(24)});
  const Answer answer = shop.Ask("surface: 'home' n: 200 exclude: 'item-00007' exclude: 'unknown'");
  EXPECT_THAT(answer.items, SizeIs(26));
  EXPECT_THAT(RequestForTest::Ids(answer),
              Not(Contains(testing::AnyOf("item-00014", "item-00024", "item-00007", "item-00004"))));
  EXPECT_THAT(answer.record.overlay_hidden(), ElementsAre("item-00024"));
}

std::string Home(const std::string& more) {
  return "[surfaces.home]\ngenerators = ['for_you', 'because', 'trending', 'fresh', 'popular']\nexplore = 0\n" + more;
}

TEST(SeenPolicyTest, ExcludeAllowAndDemote) {
  const auto ask = [](const std::string& policy) {
    RequestForTest shop({.items = 40, .config = Home(policy)});
    shop.user = shop.catalog.User({{"save", 4}});
    for (uint32_t i = 0; i < 10; ++i) CatalogForTest::See(shop.catalog.Key(i), kNowS - 3600, &shop.user);
    return shop.Ask("surface: 'home' n: 200");
  };
  const auto seen = [](const Answer& answer) {
    std::vector<uint32_t> positions;
    for (const AnswerItem& item : answer.items) {
      if (item.id < "item-00010") positions.push_back(item.position);
    }
    return positions;
  };
  EXPECT_THAT(seen(ask("seen = 'exclude'")), IsEmpty());
  EXPECT_THAT(seen(ask("seen = 'exclude'\nseen_window = '30m'")), SizeIs(9)) << "only the save is that new";
  const std::vector<uint32_t> allowed = seen(ask("seen = 'allow'")),
                              demoted = seen(ask("seen = 'demote'\nseen_factor = 0.01"));
  EXPECT_THAT(allowed, SizeIs(10));
  ASSERT_THAT(demoted, SizeIs(10));
  EXPECT_EQ(demoted.front(), 31u);
  EXPECT_LT(allowed.front(), 31u);
}

TEST(SeenPolicyTest, SeenItemsComeBackOnlyWhenNothingElseIsEligible) {
  RequestForTest shop({.items = 12, .config = Home("")});
  for (uint32_t i = 0; i < 11; ++i) CatalogForTest::See(shop.catalog.Key(i), kNowS, &shop.user);
  const Answer one = shop.Ask("surface: 'home'");
  EXPECT_THAT(RequestForTest::Ids(one), ElementsAre("item-00011"));
  EXPECT_FALSE(one.more);
  EXPECT_THAT(one.degraded, Not(Contains("seen_relaxed")));
  const Answer relaxed = shop.Ask("surface: 'home' exclude: 'item-00011'");
  EXPECT_THAT(relaxed.items, SizeIs(11));
  EXPECT_THAT(relaxed.degraded, Contains("seen_relaxed"));
}

TEST(FilterTest, ANarrowFilterFillsThePage) {
  RequestForTest shop({.items = 2000});
  shop.user = shop.catalog.User({{"save", 4}, {"click", 14}});
  // 20 of 2,000, none of them in the user's topic.
  const Answer answer = shop.Ask("surface: 'home' n: 20 filter: 'price == 37'");
  EXPECT_THAT(answer.items, SizeIs(20));
  EXPECT_THAT(RequestForTest::Ids(answer), Each(EndsWith("37")));
  EXPECT_FALSE(answer.more);
}

TEST(FilterTest, TheSurfacesFilterHoldsToo) {
  RequestForTest shop({.items = 100, .config = Home("filter = \"price < 10\"")});
  const Answer answer = shop.Ask("surface: 'home' n: 200 filter: 'price >= 5'");
  EXPECT_THAT(RequestForTest::Ids(answer),
              testing::UnorderedElementsAre("item-00005", "item-00006", "item-00007", "item-00008", "item-00009"));
}

TEST(RuleTest, BoostAndBuryMoveItemsAndAreNamed) {
  RequestForTest shop({.items = 100,
                       .config = Home("[[surfaces.home.rules]]\nkind = 'bury'\nname = 'dear'\n"
                                      "when = \"price >= 50\"\nfactor = 0\n")});
  const Answer answer = shop.Ask(
      "surface: 'home' n: 100 explain: true rules { kind: 'boost' when: 'id == \"item-00042\"' factor: 1000 }");
  EXPECT_EQ(answer.items[0].id, "item-00042");
  EXPECT_THAT(answer.items[0].explanation->rules, ElementsAre("rules[0]"));
  EXPECT_FLOAT_EQ(answer.items[0].explanation->final_score, 1000 * answer.items[0].explanation->rank_score);
  for (uint32_t i = 50; i < 100; ++i) {
    EXPECT_GE(answer.items[i].id, "item-00050");
    EXPECT_EQ(answer.items[i].score, 0);
    EXPECT_THAT(answer.items[i].explanation->rules, ElementsAre("dear"));
  }
}

TEST(RuleTest, CapsHoldOnEachPageAndStillFillIt) {
  RequestForTest shop({.items = 1000, .config = Home("category_cap = 2")});
  shop.user = shop.catalog.User({{"save", 4}, {"save", 14}, {"save", 24}});
  const Answer answer = shop.Ask("surface: 'home' n: 20");
  ASSERT_THAT(answer.items, SizeIs(20)) << "ten topics, two of each";
  std::map<char, int> topics;
  for (const AnswerItem& item : answer.items) ++topics[item.id.back()];
  for (const auto& [topic, count] : topics) EXPECT_EQ(count, 2) << topic;
}

TEST(PinTest, StandAtTheirExactPosition) {
  RequestForTest shop({.items = 100,
                       .config = Home("category_cap = 3\ndiversity = 0.5\n[[surfaces.home.rules]]\nkind = 'pin'\n"
                                      "name = 'campaign'\nitem = 'item-00090'\nposition = 5\n")});
  CatalogForTest::See(shop.catalog.Key(91), kNowS, &shop.user);
  const Answer answer = shop.Ask(
      "surface: 'home' n: 8 explain: true rules { kind: 'pin' item: 'item-00091' position: 2 }"
      " rules { kind: 'pin' item: 'item-00092' position: 8 } rules { kind: 'pin' item: 'item-00093' position: 9 }");
  ASSERT_THAT(answer.items, SizeIs(8));
  EXPECT_EQ(answer.items[4].id, "item-00090");
  EXPECT_THAT(answer.items[4].explanation->rules, ElementsAre("campaign"));
  EXPECT_EQ(answer.items[1].id, "item-00091") << "a pin stands though it was seen";
  EXPECT_EQ(answer.items[7].id, "item-00092");
  EXPECT_THAT(RequestForTest::Ids(answer), Not(Contains("item-00093")));
}

TEST(PinTest, NeverAnIneligibleHiddenExcludedOrFilteredItem) {
  RequestForTest shop({.items = 100, .config = Home("")});
  shop.catalog.Withdraw(1);
  CatalogForTest::Hide(shop.catalog.Key(2), &shop.user);
  shop.overlay.push_back({"item-00003", shop.catalog.Key(3)});
  std::string rules;
  for (const char* item : {"item-00001", "item-00002", "item-00003", "item-00004", "item-00005", "unknown"}) {
    rules += fmt::format("rules {{ kind: 'pin' item: '{}' position: 1 }} ", item);
  }
  const Answer answer =
      shop.Ask("surface: 'home' n: 100 exclude: 'item-00004' filter: 'id != \"item-00005\"' " + rules);
  const std::vector<std::string> ids = RequestForTest::Ids(answer);
  for (uint32_t i = 1; i <= 5; ++i) EXPECT_THAT(ids, Not(Contains(shop.catalog.IdOf(i))));
  EXPECT_THAT(ids, SizeIs(95));
}

TEST(PinTest, TheRequestWinsOverTheConfigAndPositionsCountAcrossPages) {
  RequestForTest shop({.items = 100,
                       .config = Home("[[surfaces.home.rules]]\nkind = 'pin'\nname = 'campaign'\n"
                                      "item = 'item-00090'\nposition = 12\n")});
  const Answer first = shop.Ask("surface: 'home' n: 10");
  for (const AnswerItem& item : first.items) shop.chain.shown.push_back(shop.catalog.Key(item.id));
  shop.chain.page = 1;
  EXPECT_EQ(shop.Ask("surface: 'home' n: 10").items[1].id, "item-00090");
  EXPECT_EQ(shop.Ask("surface: 'home' n: 10").items[1].position, 12u);
  const Answer other = shop.Ask("surface: 'home' n: 10 rules { kind: 'pin' item: 'item-00091' position: 12 }");
  EXPECT_EQ(other.items[1].id, "item-00091");
}

TEST(FallbackTest, ServesWithoutASnapshotOrAModel) {
  CatalogForTest::Options options{.items = 50};
  RequestForTest shop(options);
  shop.user = shop.catalog.User({{"save", 4}});
  shop.catalog.BuildSnapshot(false);
  const Answer no_model = shop.Ask("surface: 'home' n: 200");
  EXPECT_THAT(no_model.items, SizeIs(49));
  EXPECT_THAT(no_model.degraded, Contains("no_model"));

  shop.catalog.live = std::make_unique<index::LiveIndex>(shop.catalog.config);
  shop.catalog.ApplyAll();
  const Answer no_snapshot = shop.Ask("surface: 'home' n: 200");
  EXPECT_THAT(no_snapshot.items, SizeIs(49));
  EXPECT_THAT(no_snapshot.degraded, Contains("no_snapshot"));
  EXPECT_EQ(no_snapshot.snapshot, "");
}

TEST(FallbackTest, FillsWhenNoGeneratorFindsAnything) {
  RequestForTest shop({.items = 50, .config = "[surfaces.quiet]\ngenerators = ['trending']\n"});
  const Answer answer = shop.Ask("surface: 'quiet' n: 10");
  EXPECT_THAT(answer.items, SizeIs(10));
  EXPECT_THAT(answer.degraded, ElementsAre("filled"));
}

TEST(FallbackTest, AnEmptyCatalogGivesAnEmptyPage) {
  RequestForTest shop({.items = 1});
  shop.catalog.Delete(0);
  const Answer answer = shop.Ask("surface: 'home'");
  EXPECT_THAT(answer.items, IsEmpty());
  EXPECT_FALSE(answer.more);
}

TEST(SurfaceTest, PopularAloneIsNotPersonal) {
  RequestForTest shop(
      {.items = 60, .config = "[surfaces.chart]\ngenerators = ['popular']\nseen = 'allow'\nexplore = 0\n"});
  const std::vector<std::string> visitor = RequestForTest::Ids(shop.Ask("surface: 'chart' n: 20"));
  shop.user = shop.catalog.User({{"save", 34}, {"save", 44}});
  EXPECT_EQ(RequestForTest::Ids(shop.Ask("surface: 'chart' n: 20")), visitor);
  EXPECT_EQ(visitor.front(), "item-00000");
}

TEST(SurfaceTest, WeightsScaleGenerators) {
  const std::string surface = "[surfaces.mix]\ngenerators = ['popular', 'fresh']\nseen = 'allow'\nexplore = 0\n";
  const auto first = [&](const std::string& weights) {
    RequestForTest shop({.items = 60, .config = surface + weights});
    shop.catalog.table->tops["popular"] = {{shop.catalog.Key(50), 10}};
    return shop.Ask("surface: 'mix' n: 1").items[0].id;
  };
  EXPECT_EQ(first("weights = { popular = 100, fresh = 1 }"), "item-00050");
  EXPECT_EQ(first("weights = { popular = 0, fresh = 1 }"), "item-00000");
}

TEST(ExplainTest, SaysWhy) {
  RequestForTest shop({.items = 200, .config = Home("")});
  shop.user = shop.catalog.User({{"save", 104}});
  shop.catalog.table->tops["trending"] = {{shop.catalog.Key(31), 50}};
  const Answer answer = shop.Ask("surface: 'home' n: 150 explain: true fields: 'title' fields: 'price'");
  std::set<std::string> reasons;
  for (const AnswerItem& item : answer.items) {
    const AnswerExplanation& why = *item.explanation;
    EXPECT_EQ(why.final_score, item.score);
    EXPECT_GT(why.rank_score, 0);
    EXPECT_LT(why.rank_score, 1);
    EXPECT_FALSE(why.features.empty());
    EXPECT_FALSE(why.reason.empty());
    reasons.insert(why.reason);
    EXPECT_THAT(item.item->title(), HasSubstr("Title"));
    EXPECT_TRUE(item.item->has_price());
    EXPECT_EQ(item.item->categories_size(), 0);
  }
  EXPECT_EQ(answer.items[0].explanation->reason, "Because you saved Title 104");
  EXPECT_THAT(answer.items[0].explanation->sources, Not(IsEmpty()));
  EXPECT_EQ(answer.items[0].explanation->sources[0].because, "item-00104");
  EXPECT_THAT(reasons, Contains("Trending now"));
  EXPECT_THAT(reasons, Contains("New in topic-0"));
}

TEST(ExplainTest, NeverNamesAWithdrawnItem) {
  RequestForTest shop({.items = 200, .config = Home("")});
  shop.user = shop.catalog.User({{"save", 104}});
  shop.catalog.Withdraw(104);
  for (const AnswerItem& item : shop.Ask("surface: 'home' n: 150 explain: true").items) {
    EXPECT_THAT(item.explanation->reason, Not(HasSubstr("104")));
    EXPECT_FALSE(item.explanation->reason.empty());
  }
}

TEST(FirstStageTest, AFewCandidatesGiveAboutTheSamePage) {
  RequestForTest all({.items = 400, .config = Home("ranked_max = 2000")});
  RequestForTest few({.items = 400, .config = Home("ranked_max = 60")});
  const std::vector<std::pair<std::string, uint32_t>> actions = {
      {"save", 4}, {"save", 14}, {"click", 23}, {"save", 44}};
  all.user = all.catalog.User(actions);
  few.user = few.catalog.User(actions);
  const std::vector<std::string> expected = RequestForTest::Ids(all.Ask("surface: 'home' n: 20"));
  const std::vector<std::string> found = RequestForTest::Ids(few.Ask("surface: 'home' n: 20"));
  ASSERT_THAT(found, SizeIs(20));
  size_t same = 0;
  for (const std::string& id : found) same += static_cast<size_t>(std::count(expected.begin(), expected.end(), id));
  EXPECT_GE(same, 18u);
}

TEST(FirstStageTest, ABoostReachesWhatTheUserWouldNotSee) {
  RequestForTest shop({.items = 400,
                       .config = Home("ranked_max = 30\n[[surfaces.home.rules]]\nkind = 'boost'\nname = 'up'\n"
                                      "when = \"id == 'item-00007'\"\nfactor = 1000\n")});
  shop.user = shop.catalog.User({{"save", 4}, {"save", 14}, {"save", 24}});
  EXPECT_EQ(shop.Ask("surface: 'home' n: 10").items[0].id, "item-00007");
}

TEST(FirstStageTest, CapsReachBehindIt) {
  RequestForTest shop({.items = 400, .config = Home("ranked_max = 20\ncategory_cap = 2\n")});
  shop.user = shop.catalog.User({{"save", 4}, {"save", 14}, {"save", 24}});
  const Answer answer = shop.Ask("surface: 'home' n: 20 explain: true");
  EXPECT_THAT(answer.items, SizeIs(20));
  // What the generators found comes before what nobody proposed.
  for (const AnswerItem& item : answer.items) EXPECT_THAT(item.explanation->sources, Not(IsEmpty())) << item.id;
}

TEST(FirstStageTest, TheSampleOfTheUnionHoldsWhatItCut) {
  RequestForTest shop({.items = 400, .config = Home("ranked_max = 30\n") + "[served]\nunion_sample = 1\n"});
  shop.user = shop.catalog.User({{"save", 4}, {"save", 14}});
  const Answer answer = shop.Ask("surface: 'home' n: 10");
  uint32_t cut = 0, kept = 0;
  for (const v1::ServedCandidate& candidate : answer.record.candidates()) {
    EXPECT_GT(candidate.rank_score(), 0);
    EXPECT_THAT(candidate.features(), SizeIs(rank::kFeatures));
    ++(candidate.cut() ? cut : kept);
    EXPECT_FALSE(candidate.cut() && candidate.position() > 0);
  }
  EXPECT_EQ(kept, 30u);
  EXPECT_GT(cut, 100u);
}

TEST(RankTest, OrdersTheCallersCandidatesAndNamesTheRest) {
  RequestForTest shop({.items = 100,
                       .config = Home("[[surfaces.home.rules]]\nkind = 'bury'\nname = 'no'\n"
                                      "when = \"id == 'item-00054'\"\nfactor = 0\n")});
  shop.user = shop.catalog.User({{"save", 4}, {"save", 14}});
  shop.catalog.Withdraw(61);
  CatalogForTest::Hide(shop.catalog.Key(64), &shop.user);
  v1::RankRequest request;
  request.set_surface("home");
  request.set_explain(true);
  for (const char* id :
       {"item-00051", "item-00061", "item-00044", "nobody", "item-00064", "item-00054", "item-00044"}) {
    request.add_items(id);
  }
  const auto answer = Rank(shop.Inputs(), request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  std::vector<std::string> ids;
  for (const AnswerItem& item : answer->items) ids.push_back(item.id);
  EXPECT_THAT(ids, ElementsAre("item-00044", "item-00051", "item-00054"));
  EXPECT_THAT(answer->left_out, ElementsAre("item-00061", "nobody", "item-00064"));
  EXPECT_THAT(answer->items[2].explanation->rules, ElementsAre("no"));
  EXPECT_EQ(answer->record.kind(), "rank");
  EXPECT_THAT(answer->record.rank_items(), SizeIs(7));
}

TEST(RankTest, AgreesWithTheFeedsScores) {
  RequestForTest shop({.items = 60, .config = Home("")});
  shop.user = shop.catalog.User({{"save", 4}, {"click", 25}});
  const Answer feed = shop.Ask("surface: 'home' n: 200 explain: true");
  v1::RankRequest request;
  request.set_surface("home");
  for (const AnswerItem& item : feed.items) request.add_items(item.id);
  const auto ranked = Rank(shop.Inputs(), request);
  ASSERT_TRUE(ranked.ok());
  ASSERT_EQ(ranked->items.size(), feed.items.size());
  for (size_t i = 0; i < feed.items.size(); ++i) {
    EXPECT_EQ(ranked->items[i].id, feed.items[i].id);
    EXPECT_FLOAT_EQ(ranked->items[i].score, feed.items[i].explanation->rank_score);
  }
}

}  // namespace
}  // namespace bowerbird::serve
