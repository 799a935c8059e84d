#include "serve/collection.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

std::vector<std::string> Ids(const v1::CollectionResponse& response) {
  std::vector<std::string> ids;
  for (const v1::Item& item : response.items()) ids.push_back(item.id());
  return ids;
}

TEST(CollectionTest, GivesTheNewestFirstAndOnlyWhatMayBeShown) {
  RequestForTest shop({.items = 30});
  shop.user.collections = {
      {"Other", {shop.catalog.Key(9)}},
      {"Desks",
       {shop.catalog.Key(3), shop.catalog.Key(4), shop.catalog.Key("gone"), shop.catalog.Key(5), shop.catalog.Key(6)}}};
  shop.catalog.Withdraw(4);
  const auto response = BuildCollection(*shop.catalog.View(), shop.user, "Desks");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->name(), "Desks");
  EXPECT_EQ(response->total(), 5u);
  EXPECT_THAT(Ids(*response), testing::ElementsAre("item-00006", "item-00005", "item-00003"));
  EXPECT_EQ(response->items(0).title(), "Title 6");
}

TEST(CollectionTest, IsBounded) {
  RequestForTest shop({.items = kCollectionItemsShown + 20});
  shop.user.collections = {{"All", {}}};
  for (uint32_t i = 0; i < kCollectionItemsShown + 20; ++i) {
    shop.user.collections[0].items.push_back(shop.catalog.Key(i));
  }
  const auto response = BuildCollection(*shop.catalog.View(), shop.user, "All");
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->items_size(), static_cast<int>(kCollectionItemsShown));
  EXPECT_EQ(response->items(0).id(), "item-00219");
}

TEST(CollectionTest, AnUnknownNameIsNotFound) {
  const RequestForTest shop({.items = 3});
  EXPECT_EQ(BuildCollection(*shop.catalog.View(), shop.user, "Desks").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bowerbird::serve
