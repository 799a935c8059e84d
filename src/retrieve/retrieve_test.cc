#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "retrieve/catalog_for_test.h"
#include "retrieve/generators.h"

namespace bowerbird::retrieve {
namespace {

using config::GeneratorKind;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kNowUs = CatalogForTest::kNowUs;

struct RetrieveTest : testing::Test {
  CatalogForTest catalog{{}};
  std::shared_ptr<const index::LiveView> view;
  std::unique_ptr<Pool> pool;
  Taste taste;

  Query Ask(const expression::Program* filter = nullptr) {
    view = catalog.View();
    pool = std::make_unique<Pool>(Pool::Of(*view, {{filter}}, kNowUs));
    Query query;
    query.pool = pool.get();
    query.taste = &taste;
    query.items = catalog.table.get();
    query.now_us = kNowUs;
    return query;
  }
  void Acts(const std::vector<std::pair<std::string, uint32_t>>& actions) {
    taste = MakeTaste(*catalog.config, *catalog.View(), catalog.User(actions));
  }
  std::shared_ptr<const expression::Program> Filter(std::string_view text) {
    auto program = expression::Program::Compile(text, catalog.config->ItemSchema());
    EXPECT_TRUE(program.ok()) << program.status();
    return *program;
  }
  std::vector<std::string> Ids(const std::vector<Candidate>& candidates) {
    std::vector<std::string> ids;
    for (const Candidate& candidate : candidates) ids.emplace_back(view->Id(candidate.item));
    return ids;
  }
  /// Best first, ties by key, none twice, at most `count`, all in the pool.
  void ExpectInOrder(const std::vector<Candidate>& candidates, uint32_t count) {
    EXPECT_LE(candidates.size(), count);
    std::set<uint64_t> keys;
    for (size_t i = 0; i < candidates.size(); ++i) {
      EXPECT_TRUE(keys.insert(candidates[i].item.key.value).second);
      EXPECT_TRUE(pool->Contains(candidates[i].item));
      if (i == 0) continue;
      const Candidate &a = candidates[i - 1], &b = candidates[i];
      EXPECT_TRUE(a.score > b.score || (a.score == b.score && a.item.key < b.item.key)) << i;
    }
  }
};

TEST_F(RetrieveTest, PoolHoldsWhatIsEligibleWithinTheFilters) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  catalog.Withdraw(0);
  catalog.items[1].set_available(false);
  catalog.Apply(catalog.items[1]);
  catalog.Delete(2);
  catalog.items[3].set_price(9999);
  catalog.Apply(catalog.items[3]);
  view = catalog.View();
  EXPECT_EQ(Pool::Of(*view, {}, kNowUs).size(), 197u);
  const auto cheap = Filter("price < 10"), even = Filter("categories contains \"topic-4\"");
  const expression::Program* filters[] = {cheap.get(), nullptr, even.get()};
  Pool pool = Pool::Of(*view, filters, kNowUs);
  std::vector<std::string> ids;
  pool.ForEach([&](const index::ItemHandle& item) {
    ids.emplace_back(view->Id(item));
    EXPECT_TRUE(pool.Contains(item));
    return true;
  });
  EXPECT_THAT(ids, testing::UnorderedElementsAre("item-00004", "item-00104"));
  const catalog::ItemKey removed[] = {catalog.Key(4), catalog.Key("nobody")};
  pool.Remove(removed);
  EXPECT_EQ(pool.size(), 1u);
}

TEST_F(RetrieveTest, PoolWorksWithoutASnapshotAndOverTheDelta) {
  catalog.ApplyAll();
  catalog.Withdraw(7);
  view = catalog.View();
  const auto dear = Filter("price >= 90");
  Pool pool = Pool::Of(*view, {{dear.get()}}, kNowUs);
  EXPECT_EQ(pool.size(), 20u);
  const catalog::ItemKey removed[] = {catalog.Key(95)};
  pool.Remove(removed);
  EXPECT_EQ(pool.size(), 19u);
  index::ItemHandle item;
  ASSERT_TRUE(view->Find(catalog.Key(95), &item));
  EXPECT_FALSE(pool.Contains(item));
}

TEST_F(RetrieveTest, PoolOfItemsKeepsTheEligibleOnes) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  catalog.Withdraw(5);
  view = catalog.View();
  const catalog::ItemKey keys[] = {catalog.Key(5), catalog.Key(6), catalog.Key(6), catalog.Key("nobody")};
  EXPECT_EQ(Pool::OfItems(*view, keys).size(), 1u);
}

TEST_F(RetrieveTest, TasteTakesEachItemOnceNewestFirst) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  state::UserState user = catalog.User({{"click", 3}, {"save", 4}, {"click", 5}, {"click", 4}});
  CatalogForTest::Hide(catalog.Key(5), &user);
  taste = MakeTaste(*catalog.config, *catalog.View(), user);
  ASSERT_EQ(taste.recent.size(), 2u);
  EXPECT_EQ(taste.recent[0].item.key, catalog.Key(4));
  EXPECT_EQ(taste.recent[0].strength, 4);
  EXPECT_EQ(taste.recent[0].type, catalog.config->FindEventType("save")->code);
  EXPECT_EQ(taste.recent[1].item.key, catalog.Key(3));
  EXPECT_EQ(taste.factor.size(), 16u);
  EXPECT_GT(taste.factor_rms, 0);
}

TEST_F(RetrieveTest, TasteIsEmptyWithoutActionsOrModel) {
  catalog.ApplyAll();
  catalog.BuildSnapshot(false);
  Acts({{"save", 1}});
  EXPECT_EQ(taste.recent.size(), 1u);
  EXPECT_TRUE(taste.factor.empty());
  EXPECT_THAT(RetrieveIals(*catalog.config->FindGenerator("for_you"), Ask()), IsEmpty());
  catalog.BuildSnapshot();
  Acts({});
  EXPECT_TRUE(taste.recent.empty() && taste.factor.empty());
  EXPECT_THAT(RetrieveIals(*catalog.config->FindGenerator("for_you"), Ask()), IsEmpty());
  EXPECT_THAT(RetrieveCoOccurrence(*catalog.config->FindGenerator("because"), Ask()), IsEmpty());
}

TEST_F(RetrieveTest, IalsFindsTheTopicAfterOneAction) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  Acts({{"click", 14}});
  config::Generator generator = *catalog.config->FindGenerator("for_you");
  generator.count = 15;
  const std::vector<Candidate> found = RetrieveIals(generator, Ask());
  ASSERT_EQ(found.size(), 15u);
  ExpectInOrder(found, 15);
  for (const std::string& id : Ids(found)) EXPECT_EQ(id.back(), '4') << id;
}

TEST_F(RetrieveTest, IalsFillsFromANarrowFilterAndFindsNewItems) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  Acts({{"save", 14}, {"save", 24}});
  v1::Item item = catalog.items[4];
  item.set_id("new");
  catalog.Apply(item);
  const auto cheap = Filter("price <= 4");
  config::Generator generator = *catalog.config->FindGenerator("for_you");
  const std::vector<Candidate> found = RetrieveIals(generator, Ask(cheap.get()));
  EXPECT_EQ(found.size(), 11u);
  ExpectInOrder(found, 500);
  const std::vector<std::string> ids = Ids(found);
  EXPECT_LT(std::find(ids.begin(), ids.end(), "new") - ids.begin(), 3) << "predicted like the others of its topic";
}

TEST_F(RetrieveTest, CoOccurrenceNamesTheSeedThatGaveMost) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  Acts({{"save", 2}, {"save", 3}});
  const std::vector<Candidate> found = RetrieveCoOccurrence(*catalog.config->FindGenerator("because"), Ask());
  ASSERT_EQ(found.size(), 24u);
  ExpectInOrder(found, 500);
  for (const Candidate& candidate : found) {
    const bool third = view->Id(candidate.item).back() == '3';
    EXPECT_EQ(candidate.because, catalog.Key(third ? 3 : 2));
    EXPECT_GT(candidate.score, 0);
    EXPECT_LE(candidate.score, 1);
  }
  EXPECT_EQ(Ids(found).front(), "item-00013") << "nearest to the newest";
}

TEST_F(RetrieveTest, CoOccurrenceDecaysAndIsBounded) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  state::UserState user = catalog.User({{"save", 2}, {"save", 3}});
  user.actions[1].time_s -= 90 * 86'400;  // Newest in the log, but long ago.
  taste = MakeTaste(*catalog.config, *catalog.View(), user);
  config::Generator generator = *catalog.config->FindGenerator("because");
  EXPECT_EQ(Ids(RetrieveCoOccurrence(generator, Ask())).front(), "item-00012");
  generator.half_life_us = 0;
  EXPECT_EQ(Ids(RetrieveCoOccurrence(generator, Ask())).front(), "item-00013");
  generator.seeds = 1;
  generator.count = 5;
  for (const std::string& id : Ids(RetrieveCoOccurrence(generator, Ask()))) EXPECT_EQ(id.back(), '3');
}

TEST_F(RetrieveTest, CoOccurrenceLeavesOutWhatIsGone) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  catalog.Withdraw(13);
  catalog.Delete(23);
  catalog.items[33].set_title("changed");
  catalog.Apply(catalog.items[33]);
  Acts({{"save", 3}});
  EXPECT_EQ(Ids(RetrieveCoOccurrence(*catalog.config->FindGenerator("because"), Ask())).front(), "item-00033");
}

TEST_F(RetrieveTest, TrendingFollowsTheTable) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  catalog.Withdraw(9);
  catalog.table->tops["trending"] = {
      {catalog.Key(9), 50}, {catalog.Key(8), 40}, {catalog.Key("gone"), 30}, {catalog.Key(7), 10}};
  const std::vector<Candidate> found = RetrievePopular(*catalog.config->FindGenerator("trending"), Ask());
  EXPECT_THAT(Ids(found), ElementsAre("item-00008", "item-00007"));
  EXPECT_FLOAT_EQ(found[0].score, 40.f / 60);
  EXPECT_FLOAT_EQ(found[1].score, 10.f / 60);
}

TEST_F(RetrieveTest, PopularGoesOnWithTheSnapshotsOrder) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  catalog.table->tops["popular"] = {{catalog.Key(150), 9}, {catalog.Key(1), 3}};
  config::Generator generator = *catalog.config->FindGenerator("popular");
  generator.count = 5;
  const std::vector<Candidate> found = RetrievePopular(generator, Ask());
  EXPECT_THAT(Ids(found), ElementsAre("item-00150", "item-00001", "item-00000", "item-00002", "item-00003"));
  ExpectInOrder(found, 5);
}

TEST_F(RetrieveTest, FreshTakesTheNewestWithinTheWindow) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  v1::Item item = catalog.items[4];
  item.set_id("just made");
  item.set_created_time_us(kNowUs + 1000);
  catalog.Apply(item);
  catalog.Withdraw(0);
  config::Generator generator = *catalog.config->FindGenerator("fresh");
  generator.count = 3;
  EXPECT_THAT(Ids(RetrieveFresh(generator, Ask())), ElementsAre("just made", "item-00001", "item-00002"));
  generator.count = 500;
  generator.window_us = int64_t{3'600'000'000} * 10;
  const std::vector<Candidate> found = RetrieveFresh(generator, Ask());
  EXPECT_EQ(found.size(), 10u) << "nine of ten hours, and the new one";
  EXPECT_FLOAT_EQ(found.front().score, 1);
  EXPECT_FLOAT_EQ(found.back().score, .1f);
}

TEST_F(RetrieveTest, SimilarJoinsCosineAndCoOccurrence) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  Query query = Ask();
  index::ItemHandle item;
  ASSERT_TRUE(view->Find(catalog.Key(5), &item));
  query.item = &item;
  config::Generator generator = *catalog.config->FindGenerator("similar");
  generator.count = 19;
  const std::vector<Candidate> found = RetrieveSimilar(generator, query);
  ASSERT_EQ(found.size(), 19u);
  ExpectInOrder(found, 19);
  EXPECT_EQ(Ids(found).front(), "item-00015");
  for (const Candidate& candidate : found) {
    EXPECT_EQ(view->Id(candidate.item).back(), '5');
    EXPECT_NE(candidate.item.key, item.key);
    EXPECT_EQ(candidate.because, item.key);
  }
}

TEST_F(RetrieveTest, FillGivesEveryWantedItemOfThePoolPopularFirst) {
  catalog.ApplyAll();
  catalog.BuildSnapshot();
  v1::Item item = catalog.items[4];
  item.set_id("new");
  catalog.Apply(item);
  Ask();
  EXPECT_EQ(Fill(*pool, 1000, [](const index::ItemHandle&) { return true; }).size(), 201u);
  const std::vector<Candidate> some =
      Fill(*pool, 2, [&](const index::ItemHandle& handle) { return handle.key != catalog.Key(0); });
  EXPECT_THAT(Ids(some), ElementsAre("item-00001", "item-00002"));
}

TEST_F(RetrieveTest, NextFollowsTheNewestItemsAndFallsBackOnAnywhere) {
  catalog.ApplyAll();
  const config::Generator& generator = *catalog.config->FindGenerator("next");
  const auto key = [&](uint32_t i) { return catalog.Key(catalog.IdOf(i)); };
  catalog.table->next[{}] = {kNowUs, 100, {{key(30), 60}, {key(31), 40}}};
  EXPECT_THAT(Ids(Retrieve(generator, Ask())), ElementsAre(catalog.IdOf(30), catalog.IdOf(31)))
      << "a user without actions";

  catalog.table->next[key(1)] = {kNowUs, 60, {{key(40), 50}, {key(30), 10}}};
  catalog.table->next[key(2)] = {kNowUs, 60, {{key(42), 50}}};
  Acts({{"click", 1}, {"click", 2}});
  const std::vector<Candidate> candidates = Retrieve(generator, Ask());
  EXPECT_THAT(Ids(candidates), ElementsAre(catalog.IdOf(42), catalog.IdOf(30), catalog.IdOf(31), catalog.IdOf(40)));
  ExpectInOrder(candidates, generator.count);
  EXPECT_EQ(candidates[0].because, key(2));
  EXPECT_EQ(candidates[1].because, catalog::ItemKey());
  double chances = 0;
  for (const Candidate& candidate : candidates) chances += candidate.score;
  EXPECT_NEAR(chances, 1, 1e-6);

  Query query = Ask();
  query.now_us += 10 * CatalogForTest::kDayUs;
  EXPECT_EQ(Ids(Retrieve(generator, query)).front(), catalog.IdOf(30)) << "what was left of the visit is long over";
}

TEST_F(RetrieveTest, NextOfAnItemLooksAtThatItemAlone) {
  catalog.ApplyAll();
  const auto key = [&](uint32_t i) { return catalog.Key(catalog.IdOf(i)); };
  catalog.table->next[key(1)] = {kNowUs, 60, {{key(40), 50}}};
  catalog.table->next[key(2)] = {kNowUs, 60, {{key(42), 50}}};
  Acts({{"click", 2}});
  Query query = Ask();
  index::ItemHandle item;
  ASSERT_TRUE(view->Find(key(1), &item));
  query.item = &item;
  EXPECT_THAT(Ids(Retrieve(*catalog.config->FindGenerator("next"), query)), ElementsAre(catalog.IdOf(40)));
}

}  // namespace
}  // namespace bowerbird::retrieve
