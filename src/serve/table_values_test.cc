// What other teams' tables say in filters, rules, the ranker, explanations and records.
#include "serve/table_values.h"

#include <gmock/gmock.h>

#include <cmath>

#include "features/table_for_test.h"
#include "gtest/gtest.h"
#include "serve/interleaved.h"
#include "serve/replay_request.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

using features::Entity;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

using Vector = std::vector<float>;

constexpr char kConfig[] = R"toml(
[surfaces.home]
generators = ['for_you', 'because', 'fresh']
explore = 0
seen = "allow"
[surfaces.home.features]
"item.features.quality.score" = 0.25
"dot(user.features.taste.v, item.features.quality.v)" = 0
[surfaces.plain]
generators = ['fresh']
explore = 0
seen = "allow"
)toml";

struct TableValuesTest : testing::Test {
  RequestForTest shop{{.items = 200, .config = kConfig}};
  FeatureColumns columns{shop.catalog.hasher};
  std::shared_ptr<const features::TableSet> tables;

  TableValuesTest() {
    shop.user = shop.catalog.User({{"save", 4}, {"click", 15}});
    tables = features::SetOf({Taste("000001"), Quality()});
    // A part of the catalog has changed since the snapshot.
    for (uint32_t i = 0; i < 60; ++i) shop.catalog.Apply(shop.catalog.items[i]);
  }
  features::NamedTable Taste(const std::string& version) const {
    return features::Named(
        "taste",
        features::MakeTable(shop.catalog.hasher, Entity::kUser, {{"churn", 0}, {"v", 2}},
                            {{"somebody", {0.75, Vector{1, 2}}}, {"other", {0.25, Vector{2, 1}}}}, 77),
        version);
  }
  /// Every third item has no row, every seventh a null.
  features::NamedTable Quality() const {
    features::TestRows rows;
    for (uint32_t i = 0; i < 200; ++i) {
      if (i % 3 == 0) continue;
      rows.push_back({shop.catalog.IdOf(i),
                      {i % 7 == 0 ? features::TestValue() : features::TestValue(static_cast<double>(i)),
                       Vector{static_cast<float>(i), 1}}});
    }
    return features::Named(
        "quality", features::MakeTable(shop.catalog.hasher, Entity::kItem, {{"score", 0}, {"v", 2}}, rows), "000004");
  }
  static bool HasScore(uint32_t i) { return i % 3 != 0 && i % 7 != 0; }

  serve::Inputs Inputs() {
    serve::Inputs inputs = shop.Inputs();
    inputs.features = tables;
    inputs.columns = &columns;
    return inputs;
  }
  absl::StatusOr<Answer> Try(const std::string& text) { return Recommend(Inputs(), RequestForTest::Request(text)); }
  Answer Ask(const std::string& text) {
    auto answer = Try(text);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *std::move(answer) : Answer();
  }
  std::vector<std::string> AllFor(const std::string& filter, const std::string& user = "somebody") {
    Answer answer = Ask("surface: 'plain' n: 200 user: '" + user + "' filter: '" + filter + "'");
    return RequestForTest::Ids(answer);
  }
  std::vector<std::string> ItemsWhere(const std::function<bool(uint32_t)>& holds) const {
    std::vector<std::string> ids;
    for (uint32_t i = 0; i < 200; ++i) {
      if (holds(i)) ids.push_back(shop.catalog.IdOf(i));
    }
    return ids;
  }
};

TEST_F(TableValuesTest, AFilterReadsItemsInTheSnapshotAndChangedSince) {
  EXPECT_THAT(
      AllFor("item.features.quality.score >= 50 and item.features.quality.score < 80"),
      testing::UnorderedElementsAreArray(ItemsWhere([](uint32_t i) { return HasScore(i) && i >= 50 && i < 80; })));
  EXPECT_THAT(AllFor("not (item.features.quality.score >= 0)"),
              testing::UnorderedElementsAreArray(ItemsWhere([](uint32_t i) { return !HasScore(i); })));
  EXPECT_THAT(AllFor("item.features.quality.score in [50, 100] and price > 10"), UnorderedElementsAre("item-00050"));
  EXPECT_THAT(AllFor("item.features.nothing.score >= 0"), IsEmpty());
  EXPECT_THAT(AllFor("item.features.quality.v >= 0"), IsEmpty()) << "a vector is no number";
}

TEST_F(TableValuesTest, AFilterReadsTheUserOfTheRequest) {
  EXPECT_THAT(AllFor("user.features.taste.churn > 0.5"), SizeIs(200));
  EXPECT_THAT(AllFor("user.features.taste.churn in [0.25, 0.5]"), IsEmpty());
  EXPECT_THAT(AllFor("user.features.taste.churn != 0.75"), IsEmpty());
  EXPECT_THAT(AllFor("user.features.taste.churn > 0.5 and item.features.quality.score == 50"),
              ElementsAre("item-00050"));
}

TEST_F(TableValuesTest, WhoeverIsInNoTableIsAnsweredAllTheSame) {
  shop.user = state::UserState();
  EXPECT_THAT(AllFor("user.features.taste.churn > 0", "eve"), IsEmpty());
  EXPECT_THAT(AllFor("not (user.features.taste.churn > 0)", "eve"), SizeIs(200));
  const Answer answer = Ask("surface: 'home' user: 'eve' explain: true");
  EXPECT_THAT(answer.items, Not(IsEmpty()));
  EXPECT_THAT(answer.degraded, Not(Contains("ranker_invalid")));
  tables = nullptr;
  EXPECT_THAT(Ask("surface: 'home' user: 'eve'").items, Not(IsEmpty()));
}

TEST_F(TableValuesTest, AProductIsForRulesAndTheRankerNotForFilters) {
  const auto refused = Try("surface: 'plain' filter: 'dot(user.features.taste.v, item.features.quality.v) > 3'");
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("products of vectors are for rules"));
  // dot is i + 2 for somebody: the boost lifts what is above 150.
  const Answer answer =
      Ask("surface: 'plain' n: 10 user: 'somebody' explain: true rules { kind: 'boost' factor: 1000 when: "
          "'dot(user.features.taste.v, item.features.quality.v) > 150' }");
  for (const AnswerItem& item : answer.items) {
    const int i = std::stoi(item.id.substr(5));
    EXPECT_TRUE(i > 148 && i % 3 != 0) << item.id;
    EXPECT_THAT(item.explanation->rules, ElementsAre("rules[0]"));
  }
}

TEST_F(TableValuesTest, TheRankerTakesThemAndTheRecordSaysSo) {
  const Answer answer = Ask("surface: 'home' n: 20 user: 'somebody' explain: true");
  const v1::ServedRecord& record = answer.record;
  ASSERT_EQ(record.feature_names_size(), static_cast<int>(rank::kFeatures) + 2);
  EXPECT_EQ(record.feature_names(record.feature_names_size() - 2), "item.features.quality.score");
  EXPECT_EQ(record.feature_names(record.feature_names_size() - 1),
            "dot(user.features.taste.v,item.features.quality.v)");
  ASSERT_EQ(record.tables_size(), 2);
  EXPECT_EQ(record.tables(0).name(), "quality");
  EXPECT_EQ(record.tables(0).version(), "000004");
  EXPECT_EQ(record.tables(1).version(), "000001");
  EXPECT_EQ(record.tables(1).as_of_us(), 77);
  int absent = 0, there = 0;
  for (const v1::ServedCandidate& candidate : record.candidates()) {
    const auto i = static_cast<uint32_t>(std::stoi(candidate.item().substr(5)));
    const float score = candidate.features(rank::kFeatures), product = candidate.features(rank::kFeatures + 1);
    if (HasScore(i)) {
      EXPECT_EQ(score, static_cast<float>(i));
      ++there;
    } else {
      EXPECT_TRUE(std::isnan(score)) << candidate.item();
      ++absent;
    }
    if (i % 3 == 0) {
      EXPECT_TRUE(std::isnan(product));
    } else {
      EXPECT_EQ(product, static_cast<float>(i + 2));
    }
  }
  EXPECT_GT(there, 0);
  // An explanation says what counted, and nothing of what is absent.
  for (const AnswerItem& item : answer.items) {
    const bool says = std::ranges::any_of(item.explanation->features, [](const AnswerFeature& feature) {
      return feature.name == "item.features.quality.score";
    });
    EXPECT_EQ(says, HasScore(static_cast<uint32_t>(std::stoi(item.id.substr(5))))) << item.id;
    for (const AnswerFeature& feature : item.explanation->features) EXPECT_FALSE(std::isnan(feature.value));
  }
  EXPECT_TRUE(Ask("surface: 'plain' user: 'somebody'").record.tables().empty()) << "nothing names them there";
}

TEST_F(TableValuesTest, AnAnswerReadsTheVersionsOfItsBegin) {
  serve::Inputs inputs = Inputs();
  const v1::RecommendRequest request = RequestForTest::Request(
      "surface: 'home' n: 12 user: 'somebody' filter: 'item.features.quality.score > 20' "
      "rules { kind: 'bury' factor: 0.1 when: 'user.features.taste.churn > 0.5 and price > 50' }");
  const auto answer = Recommend(inputs, request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  v1::ServedRecord stored;
  ASSERT_TRUE(stored.ParseFromString(answer->record.SerializeAsString()));
  // Made again without the cache, from the same versions: NaNs and all.
  const auto replay = [&](std::shared_ptr<const features::TableSet> set) {
    serve::Inputs again = shop.Inputs();
    again.features = std::move(set);
    RestoreFromRecord(stored, &again);
    return *ReplayRequest(stored, again);
  };
  EXPECT_THAT(replay(tables).differences, IsEmpty());
  // What was loaded since is another answer's.
  const auto newer = replay(features::SetOf({Taste("000002"), Quality()}));
  EXPECT_THAT(newer.differences, Contains("tables differ"));
  EXPECT_GT(replay(nullptr).difference_count, 0u);
}

TEST_F(TableValuesTest, ADraftRecordsWhatAnyArmReads) {
  std::vector<InterleavedArm> arms = {{"control", Inputs()}, {"treatment", Inputs()}};
  const auto treatment = config::Parse(
      "[surfaces.plain]\ngenerators = ['fresh']\nexplore = 0\nseen = \"allow\"\n[surfaces.plain.features]\n"
      "\"item.features.quality.score\" = 0.25\n",
      "");
  arms[1].inputs.config = treatment.config;
  const auto answer =
      RecommendInterleaved("shared", arms, RequestForTest::Request("surface: 'plain' n: 12 user: 'somebody'"));
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->record.tables_size(), 1) << "the control names none";
  EXPECT_EQ(answer->record.tables(0).name(), "quality");
}

TEST_F(TableValuesTest, WhyNotNamesTheTermOfATable) {
  const Answer answer =
      Ask("surface: 'plain' n: 5 user: 'somebody' filter: 'price >= 0 and item.features.quality.score > 100' "
          "explain_items: 'item-00050'");
  ASSERT_THAT(answer.outcomes, SizeIs(1));
  EXPECT_EQ(answer.outcomes[0].code, "request_filter");
  EXPECT_THAT(answer.outcomes[0].detail, HasSubstr("item.features.quality.score > 100"));
}

TEST_F(TableValuesTest, ColumnsAreKeptForTheirVersionAndBounded) {
  const auto view = shop.catalog.View();
  const features::Version version = tables->Find("quality")->newest();
  const auto first = columns.Get(*view->snapshot(), "quality", version, 0);
  EXPECT_EQ(columns.Get(*view->snapshot(), "quality", version, 0), first);
  EXPECT_EQ(first->size(), view->snapshot()->size());
  features::Version next = version;
  next.version = "000005";
  EXPECT_NE(columns.Get(*view->snapshot(), "quality", next, 0), first);
  const auto other = columns.Get(*view->snapshot(), "other", version, 0);
  for (size_t t = 0; t < FeatureColumns::kColumnsMax; ++t) {
    columns.Get(*view->snapshot(), fmt::format("t{}", t), version, 0);
  }
  EXPECT_NE(columns.Get(*view->snapshot(), "other", version, 0), other) << "made anew: the one used first went";
}

}  // namespace
}  // namespace bowerbird::serve
