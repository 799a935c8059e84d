#include "experiment/stats/strata.h"

#include <array>

#include "experiment/stats/compare.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

TEST(StrataTest, OneStratumIsThePlainComparison) {
  const Moments control{50, 3, 120}, treatment{60, 3.5, 150};
  const auto stratum = PooledStratum(std::array{control, treatment});
  ASSERT_TRUE(stratum.ok());
  EXPECT_EQ(stratum->weight, 110);
  const auto arms = PostStratify(std::array{*stratum});
  ASSERT_TRUE(arms.ok());
  const auto with = TestAgainstZero(*DifferenceOf((*arms)[0], (*arms)[1]), 0.05);
  const auto plain = CompareMeans(control, treatment, 0.05);
  EXPECT_NEAR(with->p_value, plain->p_value, 1e-14);
}

TEST(StrataTest, ARampDoesNotTurnEqualArmsIntoADifference) {
  // 5% of treatment on a day with mean 10, half of it on a day with mean 20: the arms are equal on each.
  const std::array first = {Moments{9'500, 10, 9'499}, Moments{500, 10, 499}};
  const std::array second = {Moments{5'000, 20, 4'999}, Moments{5'000, 20, 4'999}};
  Moments control = first[0], treatment = first[1];
  control.Merge(second[0]);
  treatment.Merge(second[1]);
  EXPECT_LT(CompareMeans(control, treatment, 0.05)->p_value, 1e-9) << "thrown together they differ";
  const auto arms = PostStratify(std::array{*PooledStratum(first), *PooledStratum(second)});
  ASSERT_TRUE(arms.ok());
  EXPECT_DOUBLE_EQ((*arms)[0].value, 15);
  EXPECT_DOUBLE_EQ((*arms)[1].value, 15);
}

TEST(StrataTest, WeightsAreSharesInAnyUnit) {
  const Stratum small{.weight = 1, .arms = {{2, 0.5, 9}}}, large{.weight = 3, .arms = {{6, 0.1, 9}}};
  const auto arms = PostStratify(std::array{small, large});
  ASSERT_TRUE(arms.ok());
  EXPECT_DOUBLE_EQ((*arms)[0].value, 5);
  EXPECT_DOUBLE_EQ((*arms)[0].variance, 0.5 / 16 + 0.1 * 9 / 16);
}

}  // namespace
}  // namespace bowerbird::experiment::stats
