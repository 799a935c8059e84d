#include "catalog/store_format.h"

#include <gtest/gtest.h>

#include <string>

#include "base/hash.h"

namespace bowerbird::catalog {
namespace {

// The bytes of docs/formats/catalog-store.md: a change here is a new format.
TEST(StoreFormatTest, WritesTheDocumentedBytes) {
  const auto hex = [](std::string_view bytes) { return base::HexEncode(bytes); };
  EXPECT_EQ(hex(ItemStoreKey(ItemKey(0x0102030405060708))), "690102030405060708");
  EXPECT_EQ(hex(UserStoreKey(UserKey(0xff))), "7500000000000000ff");
  EXPECT_EQ(hex(FeedStoreKey("ab")), "666162");
  EXPECT_EQ(hex(FeedItemStoreKey(2, ItemKey(3))), "6e00000000000000020000000000000003");
  EXPECT_EQ(hex(EncodeMeta({.applied_offset = 0x0102, .items = 3})), "0100000002010000000000000300000000000000");
  EXPECT_EQ(hex(EncodeNumber(258)), "0201000000000000");
  Feed feed{
      .token = "t", .state = Feed::State::kEnded, .begin_offset = 1, .end_offset = 2, .last_batch = 3, .withdrawn = 4};
  EXPECT_EQ(hex(EncodeFeed(feed)), "0201000000000000000200000000000000030000000000000004000000");
}

TEST(StoreFormatTest, ReadsBackWhatItWrites) {
  const auto meta = DecodeMeta(EncodeMeta({.applied_offset = 1ull << 60, .items = 77}));
  ASSERT_TRUE(meta.ok());
  EXPECT_EQ(meta->applied_offset, 1ull << 60);
  EXPECT_EQ(meta->items, 77u);
  const Feed feed{.token = "t",
                  .state = Feed::State::kExpired,
                  .begin_offset = ~0ull,
                  .end_offset = 2,
                  .last_batch = 3,
                  .withdrawn = ~0u};
  const auto read = DecodeFeed("t", EncodeFeed(feed));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->state, feed.state);
  EXPECT_EQ(read->begin_offset, feed.begin_offset);
  EXPECT_EQ(read->withdrawn, feed.withdrawn);
  EXPECT_EQ(NumberOfStoreKey(FeedItemStoreKey(5, ItemKey(~0ull)), true), ~0ull);
}

TEST(StoreFormatTest, RefusesOtherBytes) {
  const std::string meta = EncodeMeta({});
  EXPECT_EQ(DecodeMeta("").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeMeta(meta.substr(0, 19)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeMeta("\x02" + meta.substr(1)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(DecodeNumber("1234567").has_value());
  const std::string feed = EncodeFeed({});
  EXPECT_FALSE(DecodeFeed("t", feed.substr(1)).ok());
  EXPECT_FALSE(DecodeFeed("t", "\x04" + feed.substr(1)).ok());
  EXPECT_FALSE(DecodeFeed("t", std::string(1, '\0') + feed.substr(1)).ok());
}

}  // namespace
}  // namespace bowerbird::catalog
