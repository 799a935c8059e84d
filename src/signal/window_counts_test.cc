#include "signal/window_counts.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::signal {
namespace {

std::string Of(const std::vector<uint64_t>& buckets) {
  std::string bytes;
  for (const uint64_t bucket : buckets) AddToBucket(bucket, 1, &bytes);
  return bytes;
}

TEST(WindowCountsTest, CountsWhatLiesInTheWindow) {
  const std::string bytes = Of({100, 100, 101, 130});
  EXPECT_EQ(WindowCount(bytes, 130), 4u);
  EXPECT_EQ(WindowCount(bytes, 100), 2u) << "as of a time before the newest";
  EXPECT_EQ(WindowCount(bytes, 100 + kWindowBuckets - 1), 4u);
  EXPECT_EQ(WindowCount(bytes, 100 + kWindowBuckets), 2u);
  EXPECT_EQ(WindowCount(bytes, 1000), 0u);
  EXPECT_EQ(WindowCount("", 5), 0u);
}

TEST(WindowCountsTest, OneBucketOfAClockThatRanAheadTakesNothingAway) {
  std::string bytes = Of({100, 101, 102});
  AddToBucket(1'000'000, 7, &bytes);
  EXPECT_EQ(WindowCount(bytes, 102), 3u);
  AddToBucket(103, 1, &bytes);
  EXPECT_EQ(WindowCount(bytes, 103), 4u);
}

TEST(WindowCountsTest, TheBytesDependOnWhatWasAddedAlone) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    base::Rng rng(seed);
    std::vector<uint64_t> buckets;
    for (uint64_t i = 0, count = 1 + rng.Below(120); i < count; ++i) {
      buckets.push_back(rng.Bernoulli(0.05) ? 5000 + rng.Below(300) : 1000 + rng.Below(150));
    }
    const std::string bytes = Of(buckets);
    EXPECT_TRUE(CheckWindowCounts(bytes).ok());
    EXPECT_LE(bytes.size(), (kWindowBuckets + 1) * 4);
    const size_t half = rng.Below(buckets.size());
    std::string merged = Of({buckets.begin(), buckets.begin() + static_cast<ptrdiff_t>(half)});
    MergeWindowCounts(Of({buckets.begin() + static_cast<ptrdiff_t>(half), buckets.end()}), &merged);
    EXPECT_EQ(merged, bytes) << "seed " << seed;
    for (size_t i = buckets.size(); i > 1; --i) std::swap(buckets[i - 1], buckets[rng.Below(i)]);
    EXPECT_EQ(Of(buckets), bytes) << "seed " << seed;
    // The window that ends with the newest bucket is whole.
    const uint64_t newest = *std::ranges::max_element(buckets);
    EXPECT_EQ(WindowCount(bytes, newest),
              static_cast<uint64_t>(std::ranges::count_if(buckets, [&](uint64_t b) { return b + 48 > newest; })));
  }
}

}  // namespace
}  // namespace bowerbird::signal
