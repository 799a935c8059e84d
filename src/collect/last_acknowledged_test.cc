#include "collect/last_acknowledged.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/rng.h"

namespace bowerbird::collect {
namespace {

using catalog::UserKey;

TEST(LastAcknowledgedTest, RemembersTheHighestOffset) {
  LastAcknowledged table(1000);
  EXPECT_FALSE(table.Get(UserKey(7)).has_value());
  table.Set(UserKey(7), {3, 10});
  table.Set(UserKey(7), {3, 12});
  table.Set(UserKey(7), {3, 11});
  ASSERT_TRUE(table.Get(UserKey(7)).has_value());
  EXPECT_EQ(table.Get(UserKey(7))->offset, 12u);
  EXPECT_EQ(table.Get(UserKey(7))->partition, 3u);
  EXPECT_FALSE(table.Get(UserKey(0)).has_value());
}

TEST(LastAcknowledgedTest, KeepsToItsBoundAndToTheNewestUsers) {
  LastAcknowledged table(1024);
  EXPECT_EQ(table.capacity(), 1024u);
  base::Rng rng(1);
  std::vector<UserKey> users(10'000);
  for (size_t i = 0; i < users.size(); ++i) {
    users[i] = UserKey(rng());
    table.Set(users[i], {0, i});
    ASSERT_EQ(table.Get(users[i])->offset, i);
  }
  size_t kept = 0, kept_of_last_hundred = 0;
  for (size_t i = 0; i < users.size(); ++i) {
    const bool found = table.Get(users[i]).has_value();
    kept += found;
    kept_of_last_hundred += found && i + 100 >= users.size();
  }
  EXPECT_LE(kept, table.capacity());
  EXPECT_GT(kept, table.capacity() * 9 / 10);
  EXPECT_GE(kept_of_last_hundred, 99u);
}

TEST(LastAcknowledgedTest, TheLeastRecentOfAFullBucketGoes) {
  LastAcknowledged table(1);
  EXPECT_EQ(table.capacity(), 256u);
  // Multiples of 64 share a shard, which has one bucket here.
  for (uint64_t i = 1; i <= 4; ++i) table.Set(UserKey(i * 64), {0, i});
  table.Set(UserKey(64), {0, 9});
  table.Set(UserKey(5 * 64), {0, 5});
  EXPECT_TRUE(table.Get(UserKey(64)).has_value());
  EXPECT_FALSE(table.Get(UserKey(2 * 64)).has_value());
  EXPECT_TRUE(table.Get(UserKey(5 * 64)).has_value());
}

TEST(LastAcknowledgedTest, ThreadsDoNotMixUsers) {
  LastAcknowledged table(1 << 16);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&table, t] {
      for (uint64_t i = 0; i < 20'000; ++i) {
        const UserKey user(i % 100 * 4 + t);
        table.Set(user, {static_cast<uint32_t>(t), i});
        const auto position = table.Get(user);
        if (position) {
          EXPECT_EQ(position->partition, t);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace bowerbird::collect
