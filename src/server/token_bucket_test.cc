#include "server/token_bucket.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace bowerbird::server {
namespace {

constexpr int64_t kSecondUs = 1'000'000;

/// What gets through within [from, from + seconds) when somebody asks for `units` every `step_us`.
double Through(TokenBucket* bucket, double units, int64_t from_us, int64_t seconds, int64_t step_us) {
  double through = 0;
  for (int64_t t = from_us; t < from_us + seconds * kSecondUs; t += step_us) {
    if (bucket->WaitUs(t) > 0) continue;
    bucket->Take(units, t);
    through += units;
  }
  return through;
}

TEST(TokenBucketTest, LetsTheRateThroughAndOneSecondsWorthAtOnce) {
  TokenBucket bucket(100);
  const int64_t start_us = 5 * kSecondUs;
  EXPECT_NEAR(Through(&bucket, 1, start_us, 10, 1'000), 100 + 10 * 100, 2);
  // After a pause the burst is there again, and no more than it.
  EXPECT_NEAR(Through(&bucket, 1, start_us + 100 * kSecondUs, 1, 1'000), 200, 2);
}

TEST(TokenBucketTest, ABatchBeyondTheBurstPassesWholeAndIsPaidBack) {
  TokenBucket bucket(10);
  EXPECT_EQ(bucket.WaitUs(kSecondUs), 0);
  bucket.Take(1000, kSecondUs);
  EXPECT_NEAR(static_cast<double>(bucket.WaitUs(kSecondUs)), 99e6, 10);
  EXPECT_NEAR(Through(&bucket, 1000, kSecondUs, 1000, 100'000), 10'000, 1000);
}

TEST(TokenBucketTest, WithoutARateEverythingPasses) {
  TokenBucket bucket(0);
  bucket.Take(1e12, 1);
  EXPECT_EQ(bucket.WaitUs(1), 0);
}

TEST(TokenBucketTest, NothingTakenIsForgottenWhenThreadsTakeAtOnce) {
  TokenBucket bucket(1'000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) bucket.Take(1, kSecondUs);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_NEAR(static_cast<double>(bucket.WaitUs(kSecondUs)), 3e6, 10);
}

}  // namespace
}  // namespace bowerbird::server
