#include "evaluate/ranker.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::evaluate {
namespace {

using testing::ElementsAre;

class FixedRanker final : public Ranker {
 public:
  explicit FixedRanker(std::vector<float> row) : row_(std::move(row)) {}
  void Score(std::span<const uint32_t> users, std::span<float> scores) const override {
    for (size_t u = 0; u < users.size(); ++u) std::copy(row_.begin(), row_.end(), scores.begin() + u * row_.size());
  }

 private:
  std::vector<float> row_;
};

learn::cf::Interactions Train() {
  const std::vector<uint32_t> users = {0, 0, 1, 2, 2}, items = {0, 1, 1, 1, 2};
  return *learn::cf::Interactions::Build(200, 5, users, items, {});
}

TEST(RankAllTest, OrdersByScoreThenBySmallerItemAndMasksTrain) {
  const std::vector<uint32_t> users = {0, 1};
  const RankedLists lists = RankAll(FixedRanker({9, 8, 3, 5, 5}), users, Train().by_user, 5, 3, 2);
  EXPECT_THAT(lists.of(0), ElementsAre(3, 4, 2));
  EXPECT_THAT(lists.of(1), ElementsAre(0, 3, 4));
}

TEST(RankAllTest, ReturnsWhatThereIsWhenKExceedsIt) {
  const std::vector<uint32_t> users = {2};
  EXPECT_THAT(RankAll(FixedRanker({1, 2, 3, 4, 5}), users, Train().by_user, 5, 50, 1).of(0), ElementsAre(4, 3, 0));
}

TEST(RankAllTest, AnyThreadCountGivesTheSameLists) {
  std::vector<uint32_t> users(200);
  for (uint32_t u = 0; u < 200; ++u) users[u] = u;
  const RankedLists one = RankAll(RandomRanker(1, 5), users, Train().by_user, 5, 3, 1);
  const RankedLists four = RankAll(RandomRanker(1, 5), users, Train().by_user, 5, 3, 4);
  EXPECT_EQ(one.items, four.items);
}

TEST(RankerTest, IalsScoresAreInnerProducts) {
  const learn::cf::IalsModel model{.factors = 2, .users = {1, 2, 3, 4}, .items = {1, 0, 0, 1, 1, 1}};
  std::vector<float> scores(3);
  const std::vector<uint32_t> users = {1};
  IalsRanker(model).Score(users, scores);
  EXPECT_THAT(scores, ElementsAre(3, 4, 7));
}

TEST(RankerTest, CoOccurrenceAddsListsUpAndFallsBackToPopularity) {
  const learn::cf::Interactions train = Train();
  const learn::cf::CoOccurrenceLists lists{
      .offsets = {0, 2, 3, 3, 3, 3}, .items = {3, 4, 3}, .scores = {0.5f, 0.25f, 1}};
  std::vector<float> scores(5);
  const std::vector<uint32_t> users = {0};
  CoOccurrenceRanker(lists, train).Score(users, scores);
  EXPECT_EQ(scores[3], 1.5f);
  EXPECT_EQ(scores[4], 0.25f);
  EXPECT_LT(scores[1], 0);
  EXPECT_GT(scores[1], scores[0]);
}

TEST(RankerTest, PopularityIsTheTrainWeight) {
  std::vector<float> scores(5);
  const std::vector<uint32_t> users = {77};
  PopularityRanker(Train()).Score(users, scores);
  EXPECT_THAT(scores, ElementsAre(1, 3, 1, 0, 0));
}

}  // namespace
}  // namespace bowerbird::evaluate
