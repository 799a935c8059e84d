// The served record of explored answers: everything that off-policy evaluation needs follows from it.
#include <cmath>
#include <map>
#include <set>

#include "blend/blend.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

std::string Home(double explore, const std::string& more = "") {
  return fmt::format("[surfaces.home]\ngenerators = ['for_you', 'because', 'fresh']\nexplore = {}\n{}", explore, more);
}

TEST(ExplorationTest, PropensitiesFollowFromTheRecord) {
  RequestForTest shop({.items = 300, .config = Home(1, "diversity = 0.4\ncategory_cap = 4\ntemperature = 0.05\n")});
  shop.user = shop.catalog.User({{"save", 4}, {"click", 15}});
  for (shop.seed = 1; shop.seed <= 20; ++shop.seed) {
    const Answer answer = shop.Ask("surface: 'home' n: 15 rules { kind: 'pin' item: 'item-00099' position: 3 }");
    const v1::ServedRecord& record = answer.record;
    EXPECT_TRUE(answer.explored && record.explored());
    EXPECT_EQ(record.temperature(), .05);
    EXPECT_EQ(record.seed(), shop.seed);
    ASSERT_EQ(record.eligible_size(), 15);
    std::map<std::string, int> topics;
    std::set<uint32_t> above;
    for (int place = 0; place < 15; ++place) {
      const v1::EligibleSet& eligible = record.eligible(place);
      const v1::ServedCandidate& shown = record.candidates(place);
      EXPECT_EQ(shown.item(), answer.items[place].id);
      EXPECT_EQ(shown.position(), place + 1);
      ASSERT_EQ(eligible.candidates_size(), eligible.logits_size());
      ASSERT_LE(eligible.candidates_size(), static_cast<int>(blend::kDrawItemsMax));
      double sum = 0;
      int chosen = -1;
      for (int i = 0; i < eligible.candidates_size(); ++i) {
        const auto candidate = eligible.candidates(i);
        ASSERT_LT(static_cast<int>(candidate), record.candidates_size());
        EXPECT_FALSE(above.contains(candidate)) << "what stands above cannot be drawn";
        sum += blend::DrawProbability({eligible.logits().data(), static_cast<size_t>(eligible.logits_size())}, i);
        if (static_cast<int>(candidate) == place) chosen = i;
      }
      EXPECT_NEAR(sum, 1, 1e-9);
      ASSERT_GE(chosen, 0);
      EXPECT_EQ(
          shown.propensity(),
          blend::DrawProbability({eligible.logits().data(), static_cast<size_t>(eligible.logits_size())}, chosen));
      EXPECT_FLOAT_EQ(eligible.logits(chosen), shown.final_score() / .05f);
      above.insert(static_cast<uint32_t>(place));
    }
    EXPECT_EQ(record.candidates(2).item(), "item-00099");
    EXPECT_EQ(record.candidates(2).propensity(), 1);
    EXPECT_EQ(record.eligible(2).candidates_size(), 1);
  }
}

TEST(ExplorationTest, FrequenciesMatchThePropensities) {
  RequestForTest shop({.items = 30, .config = Home(1, "temperature = 0.1\n")});
  shop.user = shop.catalog.User({{"save", 4}});
  constexpr int kRequests = 3000;
  std::map<std::string, int> first;
  std::map<std::string, double> propensity;
  for (shop.seed = 1; shop.seed <= kRequests; ++shop.seed) {
    const Answer answer = shop.Ask("surface: 'home' n: 1");
    ++first[answer.items[0].id];
    propensity[answer.items[0].id] = answer.record.candidates(0).propensity();
  }
  EXPECT_GT(first.size(), 3u);
  for (const auto& [id, count] : first) {
    const double p = propensity[id];
    EXPECT_NEAR(count, kRequests * p, 5 * std::sqrt(kRequests * p * (1 - p)) + 1) << id;
  }
}

TEST(ExplorationTest, TheStatedShareOfRequestsIsExplored) {
  RequestForTest shop({.items = 20, .config = Home(.2)});
  int explored = 0;
  for (shop.seed = 0; shop.seed < 2000; ++shop.seed) {
    const Answer answer = shop.Ask("surface: 'home' n: 3");
    explored += answer.explored ? 1 : 0;
    if (answer.explored) continue;
    EXPECT_FALSE(answer.record.explored());
    EXPECT_EQ(answer.record.eligible_size(), 0);
    EXPECT_EQ(answer.record.temperature(), 0);
    EXPECT_EQ(answer.record.candidates(0).propensity(), 0);
  }
  EXPECT_NEAR(explored, 400, 5 * std::sqrt(2000 * .2 * .8));
}

TEST(ServedRecordTest, HoldsWhatTheSamplingSaysWithItsWeight) {
  std::string served = "[served]\nl2_sample = 0.25\nunion_sample = 0.125\n[generators.for_you]\ncount = 500\n";
  RequestForTest shop({.items = 500, .config = served + Home(0)});
  shop.user = shop.catalog.User({{"save", 4}, {"click", 15}});
  int ranked = 0, whole = 0;
  for (shop.seed = 0; shop.seed < 400; ++shop.seed) {
    const v1::ServedRecord record = shop.Ask("surface: 'home' n: 10").record;
    ranked += record.l2_weight() > 0 ? 1 : 0;
    whole += record.union_weight() > 0 ? 1 : 0;
    EXPECT_TRUE(record.l2_weight() == 0 || record.l2_weight() == 4);
    EXPECT_TRUE(record.union_weight() == 0 || record.union_weight() == 8);
    const int expected = record.union_weight() > 0 ? 498 : record.l2_weight() > 0 ? 300 : 10;
    EXPECT_EQ(record.candidates_size(), expected);
    for (const v1::ServedCandidate& candidate : record.candidates()) {
      EXPECT_EQ(candidate.features_size(), record.feature_names_size());
      EXPECT_GT(candidate.rank_score(), 0);
    }
  }
  EXPECT_NEAR(ranked, 100, 45);
  EXPECT_NEAR(whole, 50, 33);
}

TEST(ServedRecordTest, NamesWhatTheAnswerWasMadeFrom) {
  RequestForTest shop;
  shop.user = shop.catalog.User({{"save", 4}});
  shop.chain = {"first", 2, {shop.catalog.Key(9)}, false};
  const v1::ServedRecord record = shop.Ask("surface: 'home' user: 'somebody' n: 3 exclude: 'item-00001'").record;
  EXPECT_EQ(record.schema(), 1u);
  EXPECT_EQ(record.kind(), "recommend");
  EXPECT_EQ(record.request_id(), "request-1");
  EXPECT_EQ(record.user_key(), shop.user.key.value);
  EXPECT_EQ(record.user_offset(), 100u);
  EXPECT_EQ(record.catalog_offset(), shop.catalog.View()->catalog_offset());
  EXPECT_EQ(record.snapshot(), "000001");
  EXPECT_EQ(record.config_version(), shop.catalog.config->version);
  EXPECT_EQ(record.item_table(), 7u);
  EXPECT_EQ(record.time_us(), shop.now_us);
  EXPECT_EQ(record.chain(), "first");
  EXPECT_EQ(record.page(), 2u);
  EXPECT_THAT(record.chain_shown(), testing::ElementsAre(shop.catalog.Key(9).value));
  EXPECT_EQ(record.request().exclude(0), "item-00001");
  EXPECT_EQ(record.candidates(0).position(), 2u);
  EXPECT_NE(record.candidates_hash(), 0u);
}

}  // namespace
}  // namespace bowerbird::serve
