#include "catalog/feeds.h"

#include <gtest/gtest.h>

#include <string>

namespace bowerbird::catalog {
namespace {

TEST(FeedsTest, BeginsWithItsFirstRecordAndEndsOnce) {
  Feeds feeds;
  EXPECT_EQ(feeds.Find("monday"), nullptr);
  Feeds::Changes changes = feeds.Name("monday", 7);
  EXPECT_EQ(changes.open_since, 7u);
  ASSERT_EQ(changes.written.size(), 1u);
  EXPECT_EQ(feeds.Find("monday"), nullptr) << "nothing changes before Commit";
  feeds.Commit(changes);
  EXPECT_EQ(feeds.Find("monday")->begin_offset, 7u);
  changes = feeds.Name("monday", 9);
  EXPECT_EQ(changes.open_since, 7u);
  EXPECT_TRUE(changes.written.empty());
  feeds.Commit(feeds.End("monday", 12, 99, 3));
  EXPECT_EQ(feeds.Find("monday")->state, Feed::State::kEnded);
  EXPECT_EQ(feeds.Find("monday")->end_offset, 12u);
  EXPECT_EQ(feeds.Find("monday")->last_batch, 99u);
  EXPECT_EQ(feeds.Find("monday")->withdrawn, 3u);
  EXPECT_FALSE(feeds.Name("monday", 13).open_since.has_value());
  EXPECT_TRUE(feeds.End("monday", 14, 1, 1).written.empty());
  EXPECT_TRUE(feeds.End("never", 14, 1, 1).written.empty());
}

TEST(FeedsTest, TheOldestOpenFeedExpiresAtTheBound) {
  Feeds feeds;
  for (uint32_t i = 0; i < kOpenFeedsMax; ++i) feeds.Commit(feeds.Name("f" + std::to_string(i), 100 - i));
  const std::string oldest = "f" + std::to_string(kOpenFeedsMax - 1);
  feeds.Commit(feeds.Name("new", 200));
  EXPECT_EQ(feeds.Find(oldest)->state, Feed::State::kExpired);
  EXPECT_EQ(feeds.Find(oldest)->end_offset, 200u);
  EXPECT_EQ(feeds.Find("f0")->state, Feed::State::kOpen);
  EXPECT_EQ(feeds.Find("new")->state, Feed::State::kOpen);
}

TEST(FeedsTest, TheOldestPastFeedIsForgottenAtTheBound) {
  Feeds feeds;
  for (uint64_t i = 0; i <= kPastFeedsMax; ++i) {
    const std::string token = std::to_string(i);
    feeds.Commit(feeds.Name(token, 2 * i));
    feeds.Commit(feeds.End(token, 2 * i + 1, 0, 0));
  }
  EXPECT_EQ(feeds.Find("0"), nullptr);
  EXPECT_NE(feeds.Find("1"), nullptr);
  EXPECT_NE(feeds.Find(std::to_string(kPastFeedsMax)), nullptr);
}

}  // namespace
}  // namespace bowerbird::catalog
