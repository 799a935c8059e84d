#include "experiment/stats/moments.h"

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

std::vector<double> Draw(uint64_t seed, size_t count, double offset) {
  base::Rng rng(seed);
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) values.push_back(offset + rng.Exponential());
  return values;
}

void ExpectNear(const BivariateMoments& a, const BivariateMoments& b) {
  EXPECT_EQ(a.count, b.count);
  EXPECT_NEAR(a.mean_y, b.mean_y, 1e-12 * std::abs(b.mean_y));
  EXPECT_NEAR(a.mean_x, b.mean_x, 1e-12 * std::abs(b.mean_x));
  EXPECT_NEAR(a.m2_y, b.m2_y, 1e-9 * b.m2_y);
  EXPECT_NEAR(a.m2_x, b.m2_x, 1e-9 * b.m2_x);
  EXPECT_NEAR(a.comoment, b.comoment, 1e-9 * std::sqrt(b.m2_y * b.m2_x));
}

TEST(MomentsTest, EqualHandComputedValues) {
  const std::vector<double> y = {1, 2, 4, 5}, x = {2, 0, 1, 5};
  const Moments moments = Moments::Of(y);
  EXPECT_EQ(moments, (Moments{4, 3, 10}));
  EXPECT_DOUBLE_EQ(moments.variance(), 10.0 / 3);
  const BivariateMoments both = BivariateMoments::Of(y, x);
  EXPECT_EQ(both.y(), moments);
  EXPECT_EQ(both.x(), (Moments{4, 2, 14}));
  EXPECT_DOUBLE_EQ(both.comoment, 7);
  EXPECT_DOUBLE_EQ(both.covariance(), 7.0 / 3);
}

TEST(MomentsTest, NothingAndOneValueHaveNoVariance) {
  EXPECT_EQ(Moments().variance(), 0);
  EXPECT_EQ(Moments::Of(std::vector<double>{7}).variance(), 0);
  EXPECT_EQ(BivariateMoments().covariance(), 0);
  EXPECT_EQ(Proportion().rate(), 0);
}

TEST(MomentsTest, MergeIsTheSameInEveryOrderAndGrouping) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    base::Rng rng(seed);
    const size_t count = 3 + rng.Below(200);
    // A mean of a million variances is where a sum of squares would have lost its digits.
    const std::vector<double> y = Draw(seed, count, 1e6), x = Draw(seed + 1000, count, -3);
    const size_t first = rng.Below(count), second = first + rng.Below(count - first);
    const auto part = [&](size_t from, size_t to) {
      return BivariateMoments::Of(std::span(y).subspan(from, to - from), std::span(x).subspan(from, to - from));
    };
    const BivariateMoments all = part(0, count), a = part(0, first), b = part(first, second), c = part(second, count);
    BivariateMoments left = a;
    left.Merge(b);
    left.Merge(c);
    BivariateMoments tail = b, right = a;
    tail.Merge(c);
    right.Merge(tail);
    BivariateMoments backwards = c;
    backwards.Merge(b);
    backwards.Merge(a);
    for (const BivariateMoments& merged : {left, right, backwards}) ExpectNear(merged, all);
    Moments alone = a.y();
    alone.Merge(b.y());
    alone.Merge(c.y());
    EXPECT_EQ(alone, left.y()) << "one value and two are merged alike, seed " << seed;
  }
}

TEST(MomentsTest, MergingNothingChangesNothing) {
  const Moments some{3, 2.5, 1};
  Moments merged = some;
  merged.Merge({});
  EXPECT_EQ(merged, some);
  merged = {};
  merged.Merge(some);
  EXPECT_EQ(merged, some);
}

TEST(MomentsTest, ManyUnitsThatDidNothingMayBeMergedAsOnePart) {
  const std::vector<double> values = {0, 0, 0, 0, 3, 5};
  Moments merged = Moments::Of(std::vector<double>{3, 5});
  merged.Merge({.count = 4});
  EXPECT_EQ(merged.count, 6u);
  EXPECT_NEAR(merged.m2, Moments::Of(values).m2, 1e-12);
}

TEST(ProportionTest, MergeAddsCounts) {
  Proportion proportion{3, 10};
  proportion.Merge({1, 6});
  EXPECT_EQ(proportion, (Proportion{4, 16}));
  EXPECT_EQ(proportion.rate(), 0.25);
}

}  // namespace
}  // namespace bowerbird::experiment::stats
