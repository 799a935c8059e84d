#include "experiment/ope/support.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::ope {
namespace {

using testing::HasSubstr;

LoggedPosition At(uint32_t position, double logged, double target, double reward = 1, double on_support = 1) {
  return {.position = position,
          .logged = {logged, logged},
          .target = {target, target},
          .target_on_support = on_support,
          .reward = reward};
}

std::vector<LoggedSlate> Same(size_t count, const LoggedPosition& position) {
  return std::vector<LoggedSlate>(count, {"r", {position}});
}

Diagnostics DiagnoseMarginal(const std::vector<LoggedSlate>& slates, std::optional<double> weight_max = std::nullopt) {
  return Diagnose(slates, WeighSlates(slates, PropensityKind::kMarginal, weight_max), PropensityKind::kMarginal);
}

TEST(SupportTest, EqualsHandComputedValues) {
  // Weights 1, 1, 4 at position 0; 2 at position 1.
  const std::vector<LoggedSlate> slates = {
      {"a", {At(0, 0.5, 0.5), At(1, 0.25, 0.5, 0)}}, {"b", {At(0, 0.5, 0.5, 0)}}, {"c", {At(0, 0.125, 0.5, 3, 0.7)}}};
  const Diagnostics diagnostics = DiagnoseMarginal(slates);
  EXPECT_EQ(diagnostics.requests, 3u);
  EXPECT_EQ(diagnostics.all.rows, 4u);
  EXPECT_DOUBLE_EQ(diagnostics.all.effective, 64.0 / 22);
  EXPECT_DOUBLE_EQ(diagnostics.all.weight_share_max, 0.5);
  EXPECT_DOUBLE_EQ(diagnostics.effective_rewards, 13.0 * 13 / 145);
  ASSERT_EQ(diagnostics.by_position.size(), 2u);
  const PositionSupport& first = diagnostics.by_position[0];
  EXPECT_DOUBLE_EQ(first.effective, 36.0 / 18);
  EXPECT_DOUBLE_EQ(first.mean_weight, 2);
  EXPECT_DOUBLE_EQ(first.mean_weight_error, std::sqrt(2.0 / 3));
  EXPECT_DOUBLE_EQ(first.target_share, 0.9);
  EXPECT_DOUBLE_EQ(diagnostics.all.target_share, (3 * 0.9 + 1) / 4);
  EXPECT_DOUBLE_EQ(diagnostics.by_position[1].effective, 1);
}

TEST(SupportTest, WhatIsLostAboveIsLostBelow) {
  const std::vector<LoggedSlate> slates = {{"a", {At(0, 0.5, 0.5, 1, 0.5), At(1, 0.5, 0.5, 1, 0.8)}}};
  const Diagnostics diagnostics =
      Diagnose(slates, WeighSlates(slates, PropensityKind::kConditional, {}), PropensityKind::kConditional);
  EXPECT_DOUBLE_EQ(diagnostics.by_position[1].target_share, 0.4);
}

TEST(SupportTest, ALogOfTheTargetItselfIsEnough) {
  EXPECT_EQ(WhyRefused(DiagnoseMarginal(Same(100, At(0, 0.5, 0.5)))), "");
}

TEST(SupportTest, RefusesTooFewEffectiveRows) {
  EXPECT_THAT(WhyRefused(DiagnoseMarginal(Same(99, At(0, 0.5, 0.5)))),
              HasSubstr("the effective sample size is 99.0 of 99 rows; expected at least 100: one row carries 1.0%"));
  // 1 row of weight 1000 among 2000 of weight 0.5.
  std::vector<LoggedSlate> slates = Same(2000, At(0, 1, 0.5));
  slates.push_back({"heavy", {At(0, 0.001, 1)}});
  EXPECT_THAT(WhyRefused(DiagnoseMarginal(slates)), HasSubstr("one row carries 50.0% of all weight"));
}

TEST(SupportTest, AsksItOfEachPositionThatManyRequestsReach) {
  std::vector<LoggedSlate> slates = Same(2000, At(0, 0.5, 0.5));
  for (size_t s = 0; s < 90; ++s) slates[s].positions.push_back(At(1, 0.5, 0.5));
  EXPECT_EQ(WhyRefused(DiagnoseMarginal(slates)), "");
  slates.resize(1000);
  EXPECT_THAT(WhyRefused(DiagnoseMarginal(slates)), HasSubstr("90.0 of 90 rows at position 2"));
}

TEST(SupportTest, RefusesMissingSupport) {
  // A fifth of the target is on items that the log never shows; the weights sum to the rest.
  EXPECT_THAT(WhyRefused(DiagnoseMarginal(Same(500, At(0, 0.5, 0.4, 1, 0.8)))),
              HasSubstr("80.0% of the target's probability is on what the log shows"));
  EXPECT_EQ(WhyRefused(DiagnoseMarginal(Same(500, At(0, 0.5, 0.48, 1, 0.96)))), "");
}

TEST(SupportTest, RefusesWhatCuttingTakes) {
  std::vector<LoggedSlate> slates = Same(500, At(0, 0.8, 0.4));
  for (int i = 0; i < 125; ++i) slates.push_back({"r", {At(0, 0.2, 0.6)}});
  EXPECT_EQ(WhyRefused(DiagnoseMarginal(slates)), "");
  EXPECT_THAT(WhyRefused(DiagnoseMarginal(slates, 2)), HasSubstr("of which cutting weights leaves 80.0%"));
}

TEST(SupportTest, RefusesPropensitiesThatTheLogWasNotDrawnWith) {
  EXPECT_THAT(WhyRefused(DiagnoseMarginal(Same(500, At(0, 0.25, 0.5)))),
              HasSubstr("the mean weight of position 1 is 2.000 with a standard error of 0.000; expected 1.000"));
}

TEST(SupportTest, RefusesTooFewRewards) {
  std::vector<LoggedSlate> slates = Same(500, At(0, 0.5, 0.5, 0));
  EXPECT_THAT(WhyRefused(DiagnoseMarginal(slates)), HasSubstr("the rewards of 0.0 effective rows"));
  for (int i = 0; i < 9; ++i) slates[i].positions[0].reward = 1;
  EXPECT_THAT(WhyRefused(DiagnoseMarginal(slates)), HasSubstr("the rewards of 9.0 effective rows"));
  slates[9].positions[0].reward = -1;
  EXPECT_EQ(WhyRefused(DiagnoseMarginal(slates)), "");
}

TEST(SupportTest, RefusesALogWithoutPositionsOrWeights) {
  EXPECT_THAT(WhyRefused(DiagnoseMarginal({{"empty", {}}})), HasSubstr("no request has a position"));
  EXPECT_NE(WhyRefused(DiagnoseMarginal(Same(500, At(0, 0.5, 0)))), "");
}

}  // namespace
}  // namespace bowerbird::experiment::ope
