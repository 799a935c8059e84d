#include "experiment/stats/sample_ratio.h"

#include <array>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

TEST(SampleRatioTest, EqualsHandComputedValues) {
  const auto found = CheckSampleRatio(std::array<uint64_t, 2>{821'588, 815'482}, std::array{1.0, 1.0});
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(found->expected, testing::ElementsAre(818'535, 818'535));
  EXPECT_NEAR(found->chi_squared, 22.7744, 0.0001);
  EXPECT_NEAR(found->p_value, 1.8e-6, 1e-7);
}

TEST(SampleRatioTest, WeightsMayHaveAnyUnit) {
  const std::array<uint64_t, 3> counts = {480, 260, 260};
  const auto percent = CheckSampleRatio(counts, std::array{50.0, 25.0, 25.0});
  const auto share = CheckSampleRatio(counts, std::array{0.5, 0.25, 0.25});
  ASSERT_TRUE(percent.ok() && share.ok());
  EXPECT_DOUBLE_EQ(percent->p_value, share->p_value);
  EXPECT_DOUBLE_EQ(percent->chi_squared, 400.0 / 500 + 2 * 100.0 / 250);
}

TEST(SampleRatioTest, WhatIsDueFitsPerfectly) {
  EXPECT_EQ(CheckSampleRatio(std::array<uint64_t, 2>{900, 100}, std::array{9.0, 1.0})->p_value, 1);
}

TEST(SampleRatioTest, TooFewUnitsAreNoAnswerYet) {
  EXPECT_EQ(CheckSampleRatio(std::array<uint64_t, 2>{7, 1}, std::array{1.0, 1.0}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace bowerbird::experiment::stats
