#include "serve/chain_table.h"

#include <map>
#include <thread>

#include "base/rng.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::serve {
namespace {

using testing::ElementsAre;
using testing::Optional;

std::vector<catalog::ItemKey> Keys(std::initializer_list<uint64_t> values) {
  std::vector<catalog::ItemKey> keys;
  for (const uint64_t value : values) keys.emplace_back(value);
  return keys;
}

TEST(ChainTableTest, RemembersEachPage) {
  ChainTable table({});
  table.Put("a", Keys({1, 2}), 0);
  table.Put("b", Keys({1, 2, 3}), 0);
  EXPECT_THAT(table.Find("a", 1), Optional(ElementsAre(catalog::ItemKey(1), catalog::ItemKey(2))));
  EXPECT_EQ(table.Find("b", 1)->size(), 3u);
  EXPECT_EQ(table.Find("c", 1), std::nullopt);
  table.Put("a", Keys({9}), 2);
  EXPECT_THAT(table.Find("a", 3), Optional(ElementsAre(catalog::ItemKey(9))));
  EXPECT_EQ(table.pages(), 2u);
}

TEST(ChainTableTest, ForgetsAUser) {
  ChainTable table({});
  table.Put("a", Keys({1}), 0, catalog::UserKey(7));
  table.Put("b", Keys({2}), 0, catalog::UserKey(8));
  table.Put("c", Keys({3}), 0, catalog::UserKey(7));
  table.Forget(catalog::UserKey(7));
  EXPECT_FALSE(table.Find("a", 0).has_value());
  EXPECT_TRUE(table.Find("b", 0).has_value());
  EXPECT_EQ(table.pages(), 1u);
}

TEST(ChainTableTest, ForgetsAfterItsLifetime) {
  ChainTable table({.lifetime_us = 100});
  table.Put("a", Keys({1}), 1000);
  EXPECT_TRUE(table.Find("a", 1099).has_value());
  EXPECT_FALSE(table.Find("a", 1100).has_value());
  EXPECT_EQ(table.pages(), 0u);
  EXPECT_EQ(table.bytes(), 0u);
}

TEST(ChainTableTest, DropsThePageUsedLongestAgo) {
  ChainTable table({.pages_max = 2});
  table.Put("a", Keys({1}), 0);
  table.Put("b", Keys({2}), 0);
  EXPECT_TRUE(table.Find("a", 0).has_value());
  table.Put("c", Keys({3}), 0);
  EXPECT_TRUE(table.Find("a", 0).has_value());
  EXPECT_FALSE(table.Find("b", 0).has_value());
  EXPECT_TRUE(table.Find("c", 0).has_value());
}

TEST(ChainTableTest, StaysWithinItsBounds) {
  const ChainTable::Bounds bounds{.pages_max = 50, .bytes_max = 20'000};
  ChainTable table(bounds);
  base::Rng rng(3);
  for (int i = 0; i < 2000; ++i) {
    table.Put(fmt::format("page-{}", rng.Below(300)), std::vector<catalog::ItemKey>(rng.Below(200)), i);
    ASSERT_LE(table.pages(), bounds.pages_max);
    ASSERT_LE(table.bytes(), bounds.bytes_max);
  }
  table.Put("too long", std::vector<catalog::ItemKey>(10'000), 0);
  EXPECT_FALSE(table.Find("too long", 0).has_value());
  EXPECT_GT(table.pages(), 0u);
}

TEST(ChainTableTest, ServesManyThreads) {
  ChainTable table({.pages_max = 100});
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&table, t] {
      base::Rng rng(t);
      for (int i = 0; i < 2000; ++i) {
        const uint64_t page = rng.Below(150);
        if (rng.Bernoulli(.5)) {
          table.Put(fmt::format("{}", page), Keys({page, page + 1}), i);
        } else if (const auto shown = table.Find(fmt::format("{}", page), i)) {
          EXPECT_EQ(shown->front().value, page);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(table.pages(), 100u);
}

}  // namespace
}  // namespace bowerbird::serve
