#include "evaluate/holdout.h"

#include <set>
#include <string>

#include "base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::evaluate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Interaction> RandomInteractions(uint32_t users, uint32_t items, uint32_t count, uint64_t seed) {
  base::Rng rng(seed);
  std::vector<Interaction> result;
  for (uint32_t k = 0; k < count; ++k) {
    result.push_back({static_cast<uint32_t>(rng.Below(users)), static_cast<uint32_t>(rng.Below(items)),
                      static_cast<int64_t>(rng.Below(500))});
  }
  return result;
}

std::set<std::pair<uint32_t, uint32_t>> Pairs(const std::vector<Interaction>& part) {
  std::set<std::pair<uint32_t, uint32_t>> pairs;
  for (const Interaction& it : part) pairs.emplace(it.user, it.item);
  return pairs;
}

// The promise of every cut.
void ExpectNoLeak(const Holdout& holdout) {
  const auto train = Pairs(holdout.train), validation = Pairs(holdout.validation), test = Pairs(holdout.test);
  for (const auto& pair : validation) EXPECT_FALSE(train.contains(pair));
  for (const auto& pair : test) EXPECT_FALSE(train.contains(pair) || validation.contains(pair));
}

TEST(HoldoutTest, NoProtocolLeaksALaterPartIntoAnEarlierOne) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const auto interactions = RandomInteractions(40, 30, 600, seed), more = RandomInteractions(40, 30, 200, seed + 100);
    auto given = CutGivenSplit(interactions, more, seed);
    auto last = CutLastOut(interactions);
    auto temporal = CutAtTime(interactions, 0.2);
    ASSERT_TRUE(given.ok() && last.ok() && temporal.ok());
    ExpectNoLeak(*given);
    ExpectNoLeak(*last);
    ExpectNoLeak(*temporal);
    EXPECT_GT(given->repeats_dropped, 0u);
    int64_t train_end = INT64_MIN, validation_end = INT64_MIN;
    for (const auto& it : temporal->train) train_end = std::max(train_end, it.time_us);
    for (const auto& it : temporal->validation) {
      EXPECT_GT(it.time_us, train_end);
      validation_end = std::max(validation_end, it.time_us);
    }
    for (const auto& it : temporal->test) EXPECT_GT(it.time_us, validation_end);
  }
}

TEST(HoldoutTest, AGivenSplitKeepsItsTestPartAndCutsATenthOfEachUsersTrain) {
  std::vector<Interaction> train, test;
  for (uint32_t item = 0; item < 40; ++item) train.push_back({0, item});
  train.push_back({1, 3});
  for (uint32_t item = 0; item < 2; ++item) train.push_back({2, item});
  for (uint32_t user = 0; user < 3; ++user) test.push_back({user, 50});
  auto holdout = CutGivenSplit(train, test, 1);
  ASSERT_TRUE(holdout.ok());
  EXPECT_EQ(Pairs(holdout->test), Pairs(test));
  int of_user[3] = {};
  for (const auto& it : holdout->validation) ++of_user[it.user];
  EXPECT_THAT(of_user, ElementsAre(4, 0, 1));
  EXPECT_EQ(holdout->train.size() + holdout->validation.size(), train.size());
  EXPECT_EQ(holdout->user_count, 3u);
  EXPECT_EQ(holdout->item_count, 51u);
}

TEST(HoldoutTest, TheCutDependsOnTheSeedAndNotOnTheOrderOfTheFile) {
  const auto train = RandomInteractions(30, 100, 500, 1), test = RandomInteractions(30, 100, 50, 2);
  auto reversed = train;
  std::reverse(reversed.begin(), reversed.end());
  const std::string hash = CutGivenSplit(train, test, 1)->hash;
  EXPECT_EQ(hash.size(), 16u);
  EXPECT_EQ(CutGivenSplit(reversed, test, 1)->hash, hash);
  EXPECT_NE(CutGivenSplit(train, test, 2)->hash, hash);
}

TEST(HoldoutTest, LastOutTakesEachUsersLastTwoInTime) {
  const std::vector<Interaction> interactions = {{0, 1, 30}, {0, 2, 10}, {0, 3, 20}, {1, 4, 1},
                                                 {1, 5, 2},  {2, 6, 5},  {2, 7, 5},  {2, 8, 5}};
  auto holdout = CutLastOut(interactions);
  ASSERT_TRUE(holdout.ok());
  EXPECT_THAT(holdout->train,
              ElementsAre(Interaction{0, 2, 10}, Interaction{1, 4, 1}, Interaction{1, 5, 2}, Interaction{2, 6, 5}));
  EXPECT_THAT(holdout->validation, ElementsAre(Interaction{0, 3, 20}, Interaction{2, 7, 5}));
  EXPECT_THAT(holdout->test, ElementsAre(Interaction{0, 1, 30}, Interaction{2, 8, 5}));
}

TEST(HoldoutTest, ALastItemThatTheUserHadBeforeIsDroppedAndCounted) {
  auto holdout = CutLastOut({{0, 1, 1}, {0, 2, 2}, {0, 1, 3}, {1, 1, 1}, {1, 2, 2}, {1, 3, 3}});
  ASSERT_TRUE(holdout.ok());
  EXPECT_THAT(holdout->test, ElementsAre(Interaction{1, 3, 3}));
  EXPECT_EQ(holdout->repeats_dropped, 1u);
}

TEST(HoldoutTest, TheTemporalCutDropsUsersNobodyKnows) {
  std::vector<Interaction> interactions;
  for (uint32_t k = 0; k < 10; ++k) interactions.push_back({k < 9 ? 0u : 1u, k, k});
  interactions.push_back({0, 20, 20});
  auto holdout = CutAtTime(interactions, 0.2);
  ASSERT_TRUE(holdout.ok());
  EXPECT_EQ(Pairs(holdout->test), (std::set<std::pair<uint32_t, uint32_t>>{{0, 20}}));
}

TEST(HoldoutTest, RefusesWhatCannotBeCut) {
  const auto message = [](const auto& result) { return std::string(result.status().message()); };
  EXPECT_THAT(message(CutGivenSplit({}, {{0, 0}}, 1)), HasSubstr("train part comes out empty"));
  EXPECT_THAT(message(CutGivenSplit({{0, 0}, {0, 1}}, {}, 1)), HasSubstr("test part comes out empty"));
  EXPECT_THAT(message(CutLastOut({{0, 0, 1}, {0, 1, 2}})), HasSubstr("validation part comes out empty"));
  EXPECT_THAT(message(CutAtTime(RandomInteractions(5, 5, 50, 1), 0.9)), HasSubstr("test_share is 0.9"));
  EXPECT_FALSE(CutAtTime({{0, 0, 1}, {0, 1, 1}}, 0.5).ok());
  EXPECT_THAT(message(CutGivenSplit({{0, 0}, {0, 1}}, {{0, 4000000000u}}, 1)), HasSubstr("expected dense numbers"));
}

}  // namespace
}  // namespace bowerbird::evaluate
