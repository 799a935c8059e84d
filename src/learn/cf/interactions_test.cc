#include "learn/cf/interactions.h"

#include <cmath>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::learn::cf {
namespace {

using testing::ElementsAre;

TEST(InteractionsTest, HoldsBothOrientationsWithRepeatsAdded) {
  const std::vector<uint32_t> users = {2, 0, 2, 0, 2}, items = {1, 3, 0, 1, 1};
  const std::vector<float> weights = {1, 2, 3, 4, 0.5f};
  auto built = Interactions::Build(4, 5, users, items, weights);
  ASSERT_TRUE(built.ok());
  EXPECT_EQ(built->user_count(), 4u);
  EXPECT_EQ(built->item_count(), 5u);
  EXPECT_EQ(built->pair_count(), 4u);
  EXPECT_THAT(built->by_user.columns_of(0), ElementsAre(1, 3));
  EXPECT_THAT(built->by_user.weights_of(0), ElementsAre(4, 2));
  EXPECT_THAT(built->by_user.columns_of(1), ElementsAre());
  EXPECT_THAT(built->by_user.columns_of(2), ElementsAre(0, 1));
  EXPECT_THAT(built->by_user.weights_of(2), ElementsAre(3, 1.5f));
  EXPECT_THAT(built->by_item.columns_of(1), ElementsAre(0, 2));
  EXPECT_THAT(built->by_item.weights_of(1), ElementsAre(4, 1.5f));
  EXPECT_THAT(built->by_item.columns_of(4), ElementsAre());
}

TEST(InteractionsTest, WithoutWeightsAllAreOne) {
  auto built = Interactions::Build(1, 2, std::vector<uint32_t>{0, 0}, std::vector<uint32_t>{1, 0}, {});
  ASSERT_TRUE(built.ok());
  EXPECT_THAT(built->by_user.weights_of(0), ElementsAre(1, 1));
}

TEST(InteractionsTest, NothingIsFine) {
  auto built = Interactions::Build(0, 0, {}, {}, {});
  ASSERT_TRUE(built.ok());
  EXPECT_EQ(built->pair_count(), 0u);
}

TEST(InteractionsTest, RefusesBadEntriesByName) {
  const auto message = [](std::vector<uint32_t> users, std::vector<uint32_t> items, std::vector<float> weights) {
    return std::string(Interactions::Build(2, 2, users, items, weights).status().message());
  };
  EXPECT_THAT(message({0, 2}, {0, 0}, {}), testing::HasSubstr("users[1] is 2; expected below 2"));
  EXPECT_THAT(message({0}, {7}, {}), testing::HasSubstr("items[0] is 7; expected below 2"));
  EXPECT_THAT(message({0}, {0, 1}, {}), testing::HasSubstr("equal sizes"));
  for (float weight : {0.0f, -1.0f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    EXPECT_THAT(message({0}, {0}, {weight}), testing::HasSubstr("weights[0]"));
  }
}

}  // namespace
}  // namespace bowerbird::learn::cf
