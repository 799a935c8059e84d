#include "catalog/stamp_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace bowerbird::catalog {
namespace {

StampCache::Stamp Make(std::string_view id) {
  auto stamp = std::make_shared<ItemStamp>();
  stamp->id = std::string(id);
  return stamp;
}

TEST(StampCacheTest, LoadsOnceUntilInvalidated) {
  int loads = 0;
  StampCache cache(1 << 20, [&](ItemKey) { return Make("v" + std::to_string(++loads)); });
  EXPECT_EQ(cache.Get(ItemKey(1))->id, "v1");
  EXPECT_EQ(cache.Get(ItemKey(1))->id, "v1");
  cache.Invalidate(ItemKey(1));
  EXPECT_EQ(cache.Get(ItemKey(1))->id, "v2");
  EXPECT_EQ(loads, 2);
}

TEST(StampCacheTest, RemembersUnknownItemsButNoFailures) {
  int loads = 0;
  StampCache unknown(1 << 20, [&](ItemKey) { return ++loads, StampCache::Stamp(); });
  EXPECT_EQ(unknown.Get(ItemKey(1)), nullptr);
  EXPECT_EQ(unknown.Get(ItemKey(1)), nullptr);
  EXPECT_EQ(loads, 1);
  StampCache failing(1 << 20, [&](ItemKey) { return ++loads, std::optional<StampCache::Stamp>(); });
  EXPECT_EQ(failing.Get(ItemKey(1)), nullptr);
  EXPECT_EQ(failing.Get(ItemKey(1)), nullptr);
  EXPECT_EQ(loads, 3);
}

TEST(StampCacheTest, StaysInsideItsBoundAndKeepsWhatIsUsed) {
  int loads = 0;
  constexpr uint64_t kBytes = 64 * 4096;
  StampCache cache(kBytes, [&](ItemKey) { return ++loads, Make(std::string(1000, 'x')); });
  for (uint64_t i = 0; i < 10'000; ++i) {
    cache.Get(ItemKey(i * 64 + 1));
    cache.Get(ItemKey(1));  // of the same shard, always in use
    ASSERT_LE(cache.bytes(), kBytes);
  }
  EXPECT_EQ(loads, 10'000);
  EXPECT_GT(cache.bytes(), 2'000u);
}

TEST(StampCacheTest, AStampLargerThanAShardIsGivenButNotKept) {
  int loads = 0;
  StampCache cache(6400, [&](ItemKey) { return ++loads, Make(std::string(5000, 'x')); });
  EXPECT_EQ(cache.Get(ItemKey(1))->id.size(), 5000u);
  EXPECT_EQ(cache.Get(ItemKey(1))->id.size(), 5000u);
  EXPECT_EQ(loads, 2);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(StampCacheTest, ALoadThatAChangeOvertookIsNotKept) {
  StampCache* self = nullptr;
  std::string stored = "old";
  StampCache cache(1 << 20, [&](ItemKey key) {
    StampCache::Stamp stamp = Make(stored);
    if (stored == "old") {
      stored = "new";
      self->Invalidate(key);
    }
    return stamp;
  });
  self = &cache;
  EXPECT_EQ(cache.Get(ItemKey(1))->id, "old");
  EXPECT_EQ(cache.Get(ItemKey(1))->id, "new");
}

TEST(StampCacheTest, ReadersNeverSeeAnOlderStampThanTheLastChange) {
  std::atomic<int> version = 0;
  StampCache cache(1 << 20, [&](ItemKey) { return Make(std::to_string(version.load())); });
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!stop) {
        const int before = version;
        // A change is complete only once it is invalidated: one version may still be on its way.
        EXPECT_GE(std::stoi(cache.Get(ItemKey(5))->id), before - 1);
      }
    });
  }
  for (int i = 0; i < 2'000; ++i) {
    ++version;
    cache.Invalidate(ItemKey(5));
    ASSERT_EQ(cache.Get(ItemKey(5))->id, std::to_string(version));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace bowerbird::catalog
