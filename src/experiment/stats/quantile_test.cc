#include "experiment/stats/quantile.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

std::vector<double> SortedExponentials(uint64_t seed, size_t count) {
  base::Rng rng(seed);
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) values.push_back(rng.Exponential());
  std::sort(values.begin(), values.end());
  return values;
}

TEST(QuantileTest, TheMedianAndTheEndsAreThoseOfTheOrder) {
  std::vector<double> values;
  for (int i = 1; i <= 100; ++i) values.push_back(i);
  const auto median = QuantileOfSorted(values, {});
  ASSERT_TRUE(median.ok());
  EXPECT_EQ(median->value, 50);
  // Half of 100 values, -+ 9.8: the 40th and the 60th.
  EXPECT_NEAR(median->standard_error(), (60.0 - 40.0) / (2 * 1.959963984540054), 1e-12);
}

TEST(QuantileTest, TheStandardErrorIsThatOfTheDensity) {
  // Of an exponential the density at quantile q is 1 - q.
  for (const double quantile : {0.5, 0.9, 0.95}) {
    double mean = 0;
    for (uint64_t seed = 1; seed <= 100; ++seed) {
      mean += QuantileOfSorted(SortedExponentials(seed, 4'000), {.quantile = quantile})->standard_error() / 100;
    }
    const double expected = std::sqrt(quantile * (1 - quantile) / 4'000) / (1 - quantile);
    EXPECT_NEAR(mean / expected, 1, 0.05) << quantile;
  }
}

TEST(QuantileTest, AHistogramAgreesWithItsValues) {
  const std::vector<double> values = SortedExponentials(3, 20'000);
  std::vector<HistogramBucket> buckets;
  for (double edge = 0; edge < 20; edge += 0.01) {
    const auto in = std::upper_bound(values.begin(), values.end(), edge + 0.01) -
                    std::upper_bound(values.begin(), values.end(), edge);
    buckets.push_back({edge, edge + 0.01, static_cast<uint64_t>(in)});
  }
  for (const double quantile : {0.25, 0.5, 0.99}) {
    const auto sorted = QuantileOfSorted(values, {.quantile = quantile});
    const auto histogram = QuantileOfHistogram(buckets, {.quantile = quantile});
    ASSERT_TRUE(sorted.ok() && histogram.ok());
    EXPECT_NEAR(histogram->value, sorted->value, 0.01);
    EXPECT_NEAR(histogram->standard_error(), sorted->standard_error(), 0.01);
  }
}

TEST(QuantileTest, ValuesThatComeInClustersAreLessCertain) {
  const std::vector<double> values = SortedExponentials(3, 4'000);
  const double independent = 0.25 / 4'000;
  const auto alone = QuantileOfSorted(values, {});
  const auto same = QuantileOfSorted(values, {.share_variance = independent});
  const auto clustered = QuantileOfSorted(values, {.share_variance = 4 * independent});
  ASSERT_TRUE(alone.ok() && same.ok() && clustered.ok());
  EXPECT_EQ(alone->variance, same->variance);
  EXPECT_EQ(alone->value, clustered->value);
  EXPECT_NEAR(clustered->standard_error() / alone->standard_error(), 2, 0.2);
}

TEST(QuantileTest, FewValuesSayNothingOfATail) {
  const auto found = QuantileOfSorted(SortedExponentials(3, 100), {.quantile = 0.99});
  EXPECT_EQ(found.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(QuantileOfSorted({}, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(QuantileOfHistogram({}, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(QuantileOfSorted(SortedExponentials(3, 600), {.quantile = 0.99}).ok());
}

}  // namespace
}  // namespace bowerbird::experiment::stats
