#include "serve/interleaved.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serve/replay_request.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Not;

constexpr char kControl[] = "[surfaces.home]\ngenerators = ['for_you', 'because', 'fresh']\ncategory_cap = 4\n";
constexpr char kTreatment[] = "[surfaces.home]\ngenerators = ['trending', 'fresh']\ncategory_cap = 6\nexplore = 0.5\n";

struct InterleavedTest : testing::Test {
  RequestForTest shop{{.items = 200, .config = kControl}};
  std::shared_ptr<const config::Config> treatment = config::Parse(kTreatment, "").config;

  InterleavedTest() { shop.user = shop.catalog.User({{"save", 4}, {"click", 15}}); }

  std::vector<InterleavedArm> Arms(const Inputs& inputs) const {
    std::vector<InterleavedArm> arms = {{"control", inputs}, {"treatment", inputs}};
    arms[0].inputs.config = shop.catalog.config;
    arms[1].inputs.config = treatment;
    return arms;
  }
  Answer Ask(const std::string& text) {
    const auto answer = RecommendInterleaved("shared", Arms(shop.Inputs()), RequestForTest::Request(text));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *answer : Answer();
  }
  /// Of the shown candidates, by item.
  static std::map<std::string, std::string> Teams(const v1::ServedRecord& record) {
    std::map<std::string, std::string> teams;
    for (const v1::ServedCandidate& candidate : record.candidates()) {
      if (candidate.position() > 0) teams[candidate.item()] = candidate.team();
    }
    return teams;
  }
  std::vector<std::string> Alone(const std::shared_ptr<const config::Config>& config, const std::string& text) {
    Inputs inputs = shop.Inputs();
    inputs.config = config;
    return RequestForTest::Ids(*Recommend(inputs, RequestForTest::Request(text)));
  }
};

TEST_F(InterleavedTest, EachTeamsItemsAreTheBestOfItsRankingInItsOrder) {
  for (shop.seed = 1; shop.seed < 20; ++shop.seed) {
    const Answer answer = Ask("surface: 'home' n: 10");
    ASSERT_EQ(answer.items.size(), 10u);
    const std::map<std::string, std::string> teams = Teams(answer.record);
    std::map<std::string, int> count;
    for (const auto& [item, team] : teams) ++count[team];
    EXPECT_LE(std::abs(count["control"] - count["treatment"]), 1);
    EXPECT_GT(count["control"], 0) << "the arms do not differ";
    for (const auto& [team, config] : {std::pair("control", shop.catalog.config), std::pair("treatment", treatment)}) {
      const std::vector<std::string> ranking = Alone(config, "surface: 'home' n: 20");
      std::ptrdiff_t last = -1;
      for (const AnswerItem& item : answer.items) {
        if (teams.at(item.id) != team) continue;
        const std::ptrdiff_t at = std::ranges::find(ranking, item.id) - ranking.begin();
        EXPECT_GT(at, last);
        EXPECT_LT(at, 20);
        last = at;
      }
    }
  }
}

TEST_F(InterleavedTest, TheRecordIsTheControlsWithTheDraft) {
  const Answer answer = Ask("surface: 'home' n: 10 explain: true");
  const v1::ServedRecord& record = answer.record;
  EXPECT_EQ(record.config_version(), shop.catalog.config->version);
  EXPECT_EQ(record.draft().experiment(), "shared");
  ASSERT_EQ(record.draft().rankings_size(), 2);
  EXPECT_EQ(record.draft().rankings(0).arm(), "control");
  EXPECT_EQ(record.draft().rankings(1).config_version(), treatment->version);
  EXPECT_FALSE(record.explored()) << "the treatment draws, but nobody knows with what probability it stands here";
  EXPECT_THAT(record.degraded(), Not(Contains("filled")));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(record.candidates(i).features_size(), record.feature_names_size());
    EXPECT_EQ(record.candidates(i).position(), static_cast<uint32_t>(i + 1));
    EXPECT_EQ(record.candidates(i).propensity(), 0);
    EXPECT_EQ(record.candidates(i).item(), answer.items[static_cast<size_t>(i)].id);
    EXPECT_TRUE(answer.items[static_cast<size_t>(i)].explanation.has_value());
  }
}

TEST_F(InterleavedTest, ArmsThatAnswerAlikeHaveNoTeams) {
  std::vector<InterleavedArm> arms = Arms(shop.Inputs());
  arms[1].inputs.config = arms[0].inputs.config;
  const auto answer = RecommendInterleaved("shared", arms, RequestForTest::Request("surface: 'home' n: 10"));
  ASSERT_TRUE(answer.ok()) << answer.status();
  for (const auto& [item, team] : Teams(answer->record)) EXPECT_THAT(team, IsEmpty());
  EXPECT_EQ(RequestForTest::Ids(*answer), Alone(shop.catalog.config, "surface: 'home' n: 10"));
}

TEST_F(InterleavedTest, HoldsWhatAnAnswerHolds) {
  shop.overlay.push_back({"item-00024", shop.catalog.Key(24)});
  const std::string first = shop.Ask("surface: 'home' n: 10").items[0].id;
  shop.chain = {"first", 1, {shop.catalog.Key(first)}, false};
  for (shop.seed = 1; shop.seed < 20; ++shop.seed) {
    const Answer answer =
        Ask("surface: 'home' n: 12 exclude: 'item-00001' filter: 'price > 3' rules { kind: 'pin' item: "
            "'item-00077' position: 4 }");
    const std::vector<std::string> ids = RequestForTest::Ids(answer);
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
    for (const char* out : {"item-00024", "item-00001", first.c_str()}) EXPECT_THAT(ids, Not(Contains(out)));
    // The loosest of the caps; a pin counts, too.
    std::map<uint64_t, uint32_t> categories;
    for (const std::string& id : ids) {
      index::ItemHandle item;
      ASSERT_TRUE(shop.catalog.View()->Find(shop.catalog.Key(id), &item));
      for (const uint64_t category : shop.catalog.View()->Categories(item)) ++categories[category];
    }
    for (const auto& [category, count] : categories) EXPECT_LE(count, 6u);
  }
}

TEST_F(InterleavedTest, APinOfBothStandsForNobody) {
  const std::string pin = RequestForTest::Ids(shop.Ask("surface: 'home' n: 60")).back();
  const Answer answer = Ask("surface: 'home' n: 10 rules { kind: 'pin' item: '" + pin + "' position: 3 }");
  ASSERT_GT(answer.items.size(), 3u);
  EXPECT_EQ(answer.items[2].id, pin);
  EXPECT_THAT(Teams(answer.record).at(pin), IsEmpty());
}

TEST_F(InterleavedTest, SaysWhyAnItemOfTheControlIsNotThere) {
  const Answer answer = Ask("surface: 'home' n: 6");
  std::string missing;
  for (const std::string& id : Alone(shop.catalog.config, "surface: 'home' n: 6")) {
    const std::vector<std::string> ids = RequestForTest::Ids(answer);
    if (std::ranges::find(ids, id) == ids.end()) missing = id;
  }
  ASSERT_FALSE(missing.empty());
  const Answer asked = Ask("surface: 'home' n: 6 explain_items: '" + missing + "'");
  ASSERT_EQ(asked.outcomes.size(), 1u);
  EXPECT_EQ(asked.outcomes[0].code, "not_drafted");
}

TEST_F(InterleavedTest, ComesAgainFromItsRecord) {
  for (shop.seed = 1; shop.seed < 20; ++shop.seed) {
    v1::ServedRecord record;
    ASSERT_TRUE(record.ParseFromString(Ask("surface: 'home' n: 12").record.SerializeAsString()));
    Inputs inputs = shop.Inputs();
    inputs.seed = 0;
    inputs.request_id.clear();
    RestoreFromRecord(record, &inputs);
    const auto report = ReplayRequest(record, inputs, Arms(inputs));
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->equal) << testing::PrintToString(report->differences);
    // One of the arms is another one now.
    std::vector<InterleavedArm> others = Arms(inputs);
    others[1].inputs.config = shop.catalog.config;
    EXPECT_THAT(ReplayRequest(record, inputs, others)->differences, Contains("draft differs"));
  }
}

}  // namespace
}  // namespace bowerbird::serve
