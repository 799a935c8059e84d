#include "lake/group_cache.h"

#include <atomic>
#include <thread>
#include <vector>

#include "lake/lake_for_test.h"

namespace bowerbird::lake {
namespace {

class GroupCacheTest : public LakeTest {
 protected:
  GroupCacheTest() {
    for (int i = 0; i < 100; ++i) AppendEvent(0, "user", fmt::format("{}", i));
    EXPECT_TRUE(lake_->CatchUp("events").ok());
    path_ = Parts("events").at(0);
  }
  absl::StatusOr<GroupCache::Group> Load() {
    ++loads_;
    return RecordGroup::Read(*FindLogTable("events"), path_, 0);
  }
  std::string path_;
  std::atomic<int> loads_ = 0;
};

TEST_F(GroupCacheTest, KeepsTheLatestWithinItsBytes) {
  const size_t bytes = (*Load())->bytes();
  GroupCache cache(3 * bytes);
  loads_ = 0;
  const auto get = [&](uint64_t part, size_t group) { return cache.Get(part, group, [&] { return Load(); }); };
  for (size_t group = 0; group < 3; ++group) ASSERT_TRUE(get(7, group).ok());
  ASSERT_TRUE(get(7, 0).ok());
  EXPECT_EQ(loads_, 3);
  ASSERT_TRUE(get(8, 0).ok());  // in the place of group 1, which was asked for least lately
  EXPECT_EQ(cache.bytes(), 3 * bytes);
  ASSERT_TRUE(get(7, 0).ok());
  EXPECT_EQ(loads_, 4);
  ASSERT_TRUE(get(7, 1).ok());
  EXPECT_EQ(loads_, 5);
  cache.Forget(7);
  EXPECT_EQ(cache.bytes(), bytes);
  cache.DropUnused(3'600'000'000);
  EXPECT_EQ(cache.bytes(), bytes);
  cache.DropUnused(0);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST_F(GroupCacheTest, AGroupLargerThanTheCacheIsHandedOutAllTheSame) {
  GroupCache cache(1);
  const auto group = cache.Get(1, 0, [&] { return Load(); });
  ASSERT_TRUE(group.ok());
  EXPECT_EQ(cache.bytes(), 0u);
  uint64_t records = 0;
  (*group)->Visit(0, 0, 1000, [&](const RecordGroup::Entry&) { return ++records > 0; });
  EXPECT_EQ(records, 100u);
}

TEST_F(GroupCacheTest, TwoThatWantTheSameReadItOnceAndAFailureIsNobodyElses) {
  GroupCache cache(1u << 20);
  EXPECT_FALSE(cache.Get(1, 0, [] { return absl::StatusOr<GroupCache::Group>(absl::DataLossError("damaged")); }).ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back([&] { EXPECT_TRUE(cache.Get(1, 0, [&] { return Load(); }).ok()); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(loads_, 1);
}

}  // namespace
}  // namespace bowerbird::lake
