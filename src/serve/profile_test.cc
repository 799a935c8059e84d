#include "serve/profile.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

using testing::ElementsAre;

v1::ProfileResponse Profile(const RequestForTest& shop) {
  v1::ProfileResponse profile;
  BuildProfile(*shop.catalog.config, *shop.catalog.View(), shop.user, shop.now_us, ProfileParts(), nullptr, &profile);
  return profile;
}

TEST(ProfileTest, TellsWhatIsKnown) {
  RequestForTest shop;
  shop.user = shop.catalog.User({{"click", 3}, {"save", 4}});
  shop.user.actions[1].surface = 1;
  shop.user.affinities = {{"desks", 1, shop.now_us - shop.catalog.config->state.affinity_half_life_us},
                          {"lamps", 1.5, shop.now_us}};
  CatalogForTest::Hide(shop.catalog.Key(9), &shop.user);
  CatalogForTest::Hide(shop.catalog.Key("gone"), &shop.user);
  shop.user.collections = {{"Office", {shop.catalog.Key(3), shop.catalog.Key(4)}}};
  const v1::ProfileResponse profile = Profile(shop);
  EXPECT_EQ(profile.id(), "somebody");
  EXPECT_EQ(profile.events(), 2u);
  ASSERT_EQ(profile.interests_size(), 2);
  EXPECT_EQ(profile.interests(0).category(), "lamps");
  EXPECT_EQ(profile.interests(0).share(), .75);
  EXPECT_EQ(profile.interests(1).weight(), .5);
  ASSERT_EQ(profile.sequence_size(), 2);
  EXPECT_EQ(profile.sequence(0).item(), "item-00004");
  EXPECT_EQ(profile.sequence(0).type(), "save");
  EXPECT_EQ(profile.sequence(0).surface(), "home");
  EXPECT_EQ(profile.sequence(1).surface(), "");
  EXPECT_THAT(profile.hidden(), ElementsAre("item-00009"));
  EXPECT_EQ(profile.collections(0).items(), 2u);
  EXPECT_EQ(profile.embedding_size(), 16);
  EXPECT_EQ(profile.embedding_version(), "000001");
}

TEST(ProfileTest, IsEmptyWithoutEvents) {
  RequestForTest shop;
  shop.user = {};
  const v1::ProfileResponse profile = Profile(shop);
  EXPECT_EQ(profile.events(), 0u);
  EXPECT_EQ(profile.interests_size() + profile.sequence_size() + profile.embedding_size(), 0);
}

TEST(ProfileTest, GivesTheNewestHundredActions) {
  RequestForTest shop;
  std::vector<std::pair<std::string, uint32_t>> actions;
  for (uint32_t i = 0; i < 150; ++i) actions.emplace_back("click", i);
  shop.user = shop.catalog.User(actions);
  const v1::ProfileResponse profile = Profile(shop);
  ASSERT_EQ(profile.sequence_size(), static_cast<int>(kProfileActionsMax));
  EXPECT_EQ(profile.sequence(0).item(), "item-00149");
}

}  // namespace
}  // namespace bowerbird::serve
