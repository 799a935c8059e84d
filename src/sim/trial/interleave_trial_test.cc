#include "sim/trial/interleave_trial.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sim/trial/browsing.h"
#include "sim/trial/made_recipe.h"

namespace bowerbird::sim::trial {
namespace {

using testing::HasSubstr;

class BrowsingTest : public testing::Test {
 protected:
  BrowsingTest() : world_(*world::World::Create(Options())), tastes_(world_) {}

  static world::WorldOptions Options() {
    world::WorldOptions options;
    options.items = 900;
    options.users = 400;
    options.days = 30;
    return options;
  }

  absl::StatusOr<Browsed> BrowseBy(const std::vector<MadeRecipe>& recipes, uint64_t seed = 1) const {
    std::vector<std::vector<std::vector<uint64_t>>> ranked(recipes.size());
    for (size_t recipe = 0; recipe < recipes.size(); ++recipe) {
      for (uint32_t user = 0; user < world_.user_count(); ++user)
        ranked[recipe].push_back(RankItems(tastes_, recipes[recipe], world::UserNumber(user), 200));
    }
    const auto first = [&](world::UserNumber user) { return std::span<const uint64_t>(ranked[0][user.value]); };
    const auto second = [&](world::UserNumber user) { return std::span<const uint64_t>(ranked[1][user.value]); };
    std::vector<RankingOf> rankings = {first};
    if (recipes.size() > 1) rankings.emplace_back(second);
    return Browse(world_.Fork(), Options().end_time_us + int64_t{7} * 86'400'000'000, 12, rankings, seed);
  }

  world::World world_;
  ObservedTastes tastes_;
};

TEST_F(BrowsingTest, ARankingHasUnseenItemsOnceBestFirst) {
  const MadeRecipe recipe;
  for (uint32_t user = 0; user < 50; ++user) {
    const auto ranking = RankItems(tastes_, recipe, world::UserNumber(user), 200);
    ASSERT_EQ(ranking.size(), 200u);
    auto sorted = ranking;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(std::unique(sorted.begin(), sorted.end()), sorted.end());
    for (const uint64_t item : ranking)
      EXPECT_FALSE(tastes_.HasSeen(world::UserNumber(user), static_cast<uint32_t>(item)));
    // A shorter list is the begin of a longer one.
    const auto shorter = RankItems(tastes_, recipe, world::UserNumber(user), 20);
    EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), ranking.begin()));
  }
}

TEST_F(BrowsingTest, ARecipeAgainstItselfEarnsNothing) {
  const auto browsed = BrowseBy({MadeRecipe{}, MadeRecipe{}});
  ASSERT_TRUE(browsed.ok()) << browsed.status();
  EXPECT_GT(browsed->clicks.size(), 200u);
  for (const auto& request : browsed->clicks) EXPECT_EQ(request.control + request.treatment, 0);
  double clicks = 0;
  for (const UserTotals& user : browsed->users) clicks += user.clicks;
  EXPECT_GT(clicks, 100);
}

TEST_F(BrowsingTest, TheBetterOfTwoIsPreferredAndIsWorthMoreByItself) {
  MadeRecipe worse;
  worse.error = 3;
  const auto by_good = BrowseBy({MadeRecipe{}}), by_worse = BrowseBy({worse}), both = BrowseBy({worse, MadeRecipe{}});
  ASSERT_TRUE(by_good.ok() && by_worse.ok() && both.ok());
  EXPECT_EQ(by_good->visits, by_worse->visits);
  EXPECT_EQ(by_good->visits, both->visits);
  double good = 0, bad = 0;
  for (size_t user = 0; user < by_good->users.size(); ++user) {
    good += by_good->users[user].utility;
    bad += by_worse->users[user].utility;
  }
  EXPECT_GT(good, 1.1 * bad);
  for (const auto* credits : {&both->clicks, &both->value}) {
    const auto preference = experiment::stats::ReadPreference(*credits, .05);
    ASSERT_TRUE(preference.ok()) << preference.status();
    EXPECT_GT(preference->difference.interval.low, 0);
    EXPECT_GT(preference->users.treatment, preference->users.control);
  }
}

TEST(DrawPairTest, KindsChangeWhatTheySay) {
  base::Rng rng(4);
  for (int i = 0; i < 100; ++i) {
    const RecipePair weights = DrawPair(PairKind::kWeights, rng);
    EXPECT_EQ(weights.control.error, weights.treatment.error);
    EXPECT_EQ(weights.control.error_seed, weights.treatment.error_seed);
    EXPECT_NE(weights.control.topic, weights.treatment.topic);
    const RecipePair error = DrawPair(PairKind::kError, rng);
    EXPECT_EQ(error.control.topic, error.treatment.topic);
    EXPECT_NE(error.control.error, error.treatment.error);
    EXPECT_EQ(error.control.error_seed, error.treatment.error_seed);
    const RecipePair retrained = DrawPair(PairKind::kRetrained, rng);
    EXPECT_NE(retrained.control.error_seed, retrained.treatment.error_seed);
    EXPECT_GE(retrained.size, .03);
    EXPECT_LE(retrained.size, 1);
  }
}

TEST(InterleaveTrialTest, ReportsEveryPairAlikeUnderOneSeed) {
  const InterleaveTrialOptions options{.seed = 2, .pairs = 7, .items = 400, .users = 200, .days = 5};
  const auto quiet = [](const std::string&) {};
  const auto reports = RunInterleaveTrial(options, quiet), again = RunInterleaveTrial(options, quiet);
  ASSERT_TRUE(reports.ok()) << reports.status();
  ASSERT_EQ(reports->size(), 7u);
  for (size_t i = 0; i < reports->size(); ++i) {
    const PairReport& report = (*reports)[i];
    EXPECT_GT(report.users, 30u);
    EXPECT_GE(report.visits, report.users);
    EXPECT_GE(report.overlap, 0);
    EXPECT_LE(report.overlap, 1);
    EXPECT_GT(report.clicks.users_interleaved, 0u);
    EXPECT_EQ(report.truth.effect.value, (*again)[i].truth.effect.value);
    EXPECT_EQ(report.value.users_ab, (*again)[i].value.users_ab);
    EXPECT_EQ(report.clicks.interleaved.users, (*again)[i].clicks.interleaved.users);
  }
}

TEST(InterleaveTrialTest, RefusesWhatIsOutOfRange) {
  const auto quiet = [](const std::string&) {};
  EXPECT_THAT(RunInterleaveTrial({.pairs = 0}, quiet).status().message(), HasSubstr("pairs: found 0"));
  EXPECT_THAT(RunInterleaveTrial({.users = 5}, quiet).status().message(), HasSubstr("users: found 5"));
  EXPECT_THAT(RunInterleaveTrial({.days = 0}, quiet).status().message(), HasSubstr("days: found 0"));
}

}  // namespace
}  // namespace bowerbird::sim::trial
