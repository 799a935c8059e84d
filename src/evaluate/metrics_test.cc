#include "evaluate/metrics.h"

#include <cmath>

#include "gtest/gtest.h"

namespace bowerbird::evaluate {
namespace {

TEST(MeasureListTest, EqualsHandComputedValues) {
  const std::vector<uint32_t> shown = {7, 3, 9, 1}, wanted = {1, 3, 5};
  // Found at places 2 and 4 of 4; the best list has its three at places 1 to 3.
  const ListQuality at4 = MeasureList(shown, wanted, 4);
  EXPECT_DOUBLE_EQ(at4.recall, 2.0 / 3);
  EXPECT_DOUBLE_EQ(at4.ndcg, (1 / std::log2(3) + 1 / std::log2(5)) / (1 + 1 / std::log2(3) + 1 / std::log2(4)));
  EXPECT_TRUE(at4.hit);
  // Cut at 2, the best list can have two.
  const ListQuality at2 = MeasureList(shown, wanted, 2);
  EXPECT_DOUBLE_EQ(at2.recall, 1.0 / 3);
  EXPECT_DOUBLE_EQ(at2.ndcg, (1 / std::log2(3)) / (1 + 1 / std::log2(3)));
  const ListQuality at1 = MeasureList(shown, wanted, 1);
  EXPECT_EQ(at1.recall, 0);
  EXPECT_EQ(at1.ndcg, 0);
  EXPECT_FALSE(at1.hit);
}

TEST(MeasureListTest, APerfectListHasNdcgOneAndAShortOneIsNotPunishedForItsLength) {
  const std::vector<uint32_t> shown = {5, 1}, wanted = {1, 5};
  EXPECT_DOUBLE_EQ(MeasureList(shown, wanted, 2).ndcg, 1);
  EXPECT_DOUBLE_EQ(MeasureList(shown, wanted, 50).ndcg, 1);
  EXPECT_DOUBLE_EQ(MeasureList(shown, wanted, 50).recall, 1);
  EXPECT_DOUBLE_EQ(MeasureList({}, wanted, 2).recall, 0);
}

TEST(MeasureListsTest, AveragesOverUsersAndCountsWhatIsShown) {
  const RankedLists lists{.users = {0, 1}, .offsets = {0, 2, 4}, .items = {0, 1, 0, 2}};
  const std::vector<uint32_t> first = {1}, second = {3};
  const std::vector<uint32_t> item_users = {3, 1, 0, 0, 0};
  const Metrics metrics = MeasureLists(lists, {first, second}, 2, item_users, 7);
  EXPECT_EQ(metrics.k, 2u);
  EXPECT_DOUBLE_EQ(metrics.recall, 0.5);
  EXPECT_DOUBLE_EQ(metrics.hit_rate, 0.5);
  EXPECT_DOUBLE_EQ(metrics.ndcg, 0.5 / std::log2(3));
  EXPECT_DOUBLE_EQ(metrics.coverage, 3.0 / 5);
  // Popularities 4/8, 2/8, 4/8, 1/8: 1, 2, 1 and 3 bits.
  EXPECT_DOUBLE_EQ(metrics.novelty, 7.0 / 4);
  const Metrics first_only = MeasureLists(lists, {first, second}, 1, item_users, 7);
  EXPECT_DOUBLE_EQ(first_only.coverage, 1.0 / 5);
  EXPECT_DOUBLE_EQ(first_only.recall, 0);
}

TEST(MeasureListsTest, NobodyToMeasureGivesZeros) { EXPECT_EQ(MeasureLists({.offsets = {0}}, {}, 5, {}, 0).recall, 0); }

}  // namespace
}  // namespace bowerbird::evaluate
