// Answers are made by the pipeline itself, under one config and under another: the first's record, read for the other,
// must say what the other's own record says.
#include "experiment/served/logged_answer.h"

#include <cmath>
#include <map>

#include "experiment/served/shop_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::served {
namespace {

double Probability(const v1::ServedRecord& record, int place, int at) {
  const v1::EligibleSet& pool = record.eligible(place);
  return blend::DrawProbability({pool.logits().data(), static_cast<size_t>(pool.logits_size())},
                                static_cast<size_t>(at));
}

class LaidOverTest : public testing::TestWithParam<const char*> {};

/// What stands first is drawn from a pool that depends on nothing above: both records must agree on all of it.
TEST_P(LaidOverTest, TheFirstPoolIsTheOtherConfigsOwn) {
  Shop logged(kLogged), other(Patched(GetParam()));
  for (logged.seed = other.seed = 1; logged.seed <= 20; other.seed = ++logged.seed) {
    const v1::ServedRecord record = logged.Ask("surface: 'home' n: 8").record;
    const v1::ServedRecord own = other.Ask("surface: 'home' n: 8").record;
    LoggedAnswer answer;
    ASSERT_EQ(answer.Read(record, logged.surface(), logged.scoring, logged.Categories()), "");
    std::vector<LoggedAnswer::Place> places;
    ASSERT_EQ(answer.Lay(other.scoring, &places), "");
    ASSERT_EQ(places.size(), 8u);
    std::map<uint64_t, double> laid;
    double sum = 0;
    for (const LoggedAnswer::Place::Share& share : places[0].shares) {
      laid[answer.item(share.candidate)] = share.probability;
      sum += share.probability;
    }
    EXPECT_NEAR(sum, 1, 1e-9);
    ASSERT_EQ(laid.size(), static_cast<size_t>(own.eligible(0).candidates_size()));
    for (int at = 0; at < own.eligible(0).candidates_size(); ++at) {
      const uint64_t item = own.candidates(static_cast<int>(own.eligible(0).candidates(at))).item_key();
      ASSERT_TRUE(laid.contains(item));
      EXPECT_NEAR(laid[item], Probability(own, 0, at), 1e-5 * Probability(own, 0, at));
    }
    EXPECT_EQ(places[0].probability, laid[answer.item(0)]);
  }
}

/// The other's page, read for itself over the first's candidates: both found the same ones.
TEST_P(LaidOverTest, APageHasTheProbabilitiesItWasDrawnWith) {
  Shop other(Patched(GetParam()));
  for (other.seed = 1; other.seed <= 20; ++other.seed) {
    const v1::ServedRecord own = other.Ask("surface: 'home' n: 8").record;
    LoggedAnswer answer;
    ASSERT_EQ(answer.Read(own, other.surface(), other.scoring, other.Categories()), "");
    std::vector<LoggedAnswer::Place> places;
    ASSERT_EQ(answer.Lay(other.scoring, &places), "");
    for (int place = 0; place < 8; ++place) {
      EXPECT_NEAR(places[place].probability / own.candidates(place).propensity(), 1, 1e-4);
      EXPECT_NEAR(places[place].on_support, 1, 1e-9);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, LaidOverTest,
                         testing::Values("", "[surfaces.home]\ntemperature = 0.03\n",
                                         "[surfaces.home]\ndiversity = 0.7\n", "[surfaces.home]\ncategory_cap = 1\n",
                                         "[surfaces.home]\nweights = { for_you = 3, interest = 0, quality = 2 }\n",
                                         "[surfaces.home]\ndiversity = 0.3\ncategory_cap = 3\ntemperature = 0.2\n"
                                         "weights = { fresh = 0, near = 2 }\n"));

struct LoggedAnswerTest : testing::Test {
  Shop shop{kLogged};
  LoggedAnswer answer;
  std::vector<LoggedAnswer::Place> places;

  std::string_view Read(const v1::ServedRecord& record) {
    return answer.Read(record, shop.surface(), shop.scoring, shop.Categories());
  }
};

TEST_F(LoggedAnswerTest, PinsStandUnderEveryRecipe) {
  const v1::ServedRecord record =
      shop.Ask("surface: 'home' n: 6 rules { kind: 'pin' item: 'item-00099' position: 3 }").record;
  ASSERT_EQ(Read(record), "");
  Scoring cooler = shop.scoring;
  cooler.temperature = 0.02;
  cooler.diversity = 0.5;
  ASSERT_EQ(answer.Lay(cooler, &places), "");
  EXPECT_EQ(places[2].probability, 1);
  EXPECT_EQ(places[2].on_support, 1);
  EXPECT_LT(places[1].probability, 1);
}

TEST_F(LoggedAnswerTest, LaterPagesKnowWhatStoodAbove) {
  Shop diverse(Patched("[surfaces.home]\ndiversity = 0.8\n"));
  const serve::Answer first = diverse.Ask("surface: 'home' n: 6");
  for (const serve::AnswerItem& item : first.items) diverse.chain.shown.push_back(diverse.catalog.Key(item.id));
  diverse.chain.page = 1;
  const v1::ServedRecord second = diverse.Ask("surface: 'home' n: 6").record;
  EXPECT_EQ(answer.Read(second, diverse.surface(), diverse.scoring, diverse.Categories()), "");
}

TEST_F(LoggedAnswerTest, WhatIsNotDrawnOrNotWholeIsLeftOut) {
  v1::ServedRecord record = shop.Ask("surface: 'home' n: 6").record;
  ASSERT_EQ(Read(record), "");
  v1::ServedRecord sorted = record;
  sorted.set_explored(false);
  EXPECT_EQ(Read(sorted), kNotDrawn);
  v1::ServedRecord degraded = record;
  degraded.add_degraded("popular");
  EXPECT_EQ(Read(degraded), kDegraded);
  v1::ServedRecord renamed = record;
  renamed.set_feature_names(3, "something_else");
  EXPECT_EQ(Read(renamed), kOtherNames);
  v1::ServedRecord short_of_a_pool = record;
  short_of_a_pool.mutable_eligible()->RemoveLast();
  EXPECT_EQ(Read(short_of_a_pool), kUnreadable);
  v1::ServedRecord beyond = record;
  beyond.mutable_eligible(0)->set_candidates(0, 1'000'000);
  EXPECT_EQ(Read(beyond), kUnreadable);
  v1::ServedRecord out_of_order = record;
  out_of_order.mutable_candidates()->SwapElements(2, 20);
  EXPECT_EQ(Read(out_of_order), kUnreadable);
  EXPECT_EQ(Read(v1::ServedRecord()), kNotDrawn);
}

TEST_F(LoggedAnswerTest, ProbabilitiesThatDoNotFollowAreNotBuiltOn) {
  const v1::ServedRecord record = shop.Ask("surface: 'home' n: 6").record;
  v1::ServedRecord other = record;
  other.mutable_candidates(2)->set_propensity(other.candidates(2).propensity() * 1.01);
  EXPECT_EQ(Read(other), kNotReproduced);
  other = record;
  other.set_temperature(0.2);
  EXPECT_EQ(Read(other), kNotReproduced);
  other = record;
  other.mutable_candidates(1)->mutable_features()->Set(0, 3.5f);
  EXPECT_EQ(Read(other), kNotReproduced) << "its score is not that of its features";
  Scoring arm = shop.scoring;
  arm.recipe.weights[0] += 1;
  EXPECT_EQ(answer.Read(record, shop.surface(), arm, shop.Categories()), kNotReproduced) << "other weights gave it";
}

TEST_F(LoggedAnswerTest, WithoutTheSampleOnlyWhatReordersPoolsCanBeSaid) {
  Shop unsampled(Patched("[served]\nl2_sample = 0\nunion_sample = 0\n"));
  const v1::ServedRecord record = unsampled.Ask("surface: 'home' n: 6").record;
  ASSERT_EQ(answer.Read(record, unsampled.surface(), unsampled.scoring, unsampled.Categories()), "");
  Scoring scoring = unsampled.scoring;
  scoring.temperature = 0.3;
  scoring.diversity = 0.3;
  EXPECT_EQ(answer.Lay(scoring, &places), "");
  scoring.category_cap = 2;
  EXPECT_EQ(answer.Lay(scoring, &places), kNotAllLogged);
  scoring = unsampled.scoring;
  scoring.recipe.weights[0] += 1;
  EXPECT_EQ(answer.Lay(scoring, &places), kNotAllLogged);
  scoring = shop.scoring;
  scoring.added.emplace("item.features.a.b", 1);
  ASSERT_EQ(Read(shop.Ask("surface: 'home' n: 6").record), "");
  EXPECT_EQ(answer.Lay(scoring, &places), kFeatureNotLogged);
}

}  // namespace
}  // namespace bowerbird::experiment::served
