#include "learn/ranker/boosted_trees.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace bowerbird::learn::ranker {
namespace {

/// Chances that a weighted sum cannot tell: both of two features together, or a third one alone; a fourth says nothing.
Examples Made(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  Examples examples;
  examples.feature_names = {"a", "b", "c", "noise"};
  for (size_t i = 0; i < count; ++i) {
    const float a = uniform(random), b = uniform(random), c = uniform(random);
    const double chance = (a > 0.5f && b > 0.5f) ? 0.8 : c > 0.9f ? 0.6 : 0.1;
    for (const float value : {a, b, c, uniform(random)}) examples.features.push_back(value);
    examples.targets.push_back(uniform(random) < chance ? 1.0f : 0.0f);
    examples.weights.push_back(1);
  }
  return examples;
}

TEST(BoostTest, FindsWhatAWeightedSumCannot) {
  const Examples train = Made(20'000, 1), validation = Made(5'000, 2);
  BoostReport report;
  const auto trees = Boost(train, validation, BoostOptions(), &report);
  ASSERT_TRUE(trees.ok()) << trees.status();
  EXPECT_GT(report.trees, 5u);
  // The loss of the chances themselves is about 0.40, that of the mean 0.60.
  EXPECT_LT(report.validation_loss, 0.43);
  EXPECT_GT(report.base_loss, 0.55);
  const std::vector<float> both = {0.8f, 0.8f, 0.2f, 0.5f}, none = {0.2f, 0.8f, 0.2f, 0.5f};
  float high = 0, low = 0;
  trees->Predict(both, 4, {&high, 1});
  trees->Predict(none, 4, {&low, 1});
  EXPECT_NEAR(1 / (1 + std::exp(-high)), 0.8, 0.08);
  EXPECT_NEAR(1 / (1 + std::exp(-low)), 0.1, 0.05);
}

TEST(BoostTest, TheSameExamplesGiveTheSameBits) {
  const Examples train = Made(3'000, 1), validation = Made(500, 2);
  BoostReport report;
  const auto once = Boost(train, validation, BoostOptions(), &report), again = Boost(train, validation, {}, &report);
  EXPECT_EQ(*once->Serialize(), *again->Serialize());
}

TEST(BoostTest, WeightsCountAsSoManyExamples) {
  // Half of the negatives at twice the weight: the same chances.
  Examples all = Made(40'000, 3), thinned;
  thinned.feature_names = all.feature_names;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all.targets[i] == 0 && i % 2 == 0) continue;
    thinned.features.insert(thinned.features.end(), all.features.begin() + static_cast<ptrdiff_t>(4 * i),
                            all.features.begin() + static_cast<ptrdiff_t>(4 * i + 4));
    thinned.targets.push_back(all.targets[i]);
    thinned.weights.push_back(all.targets[i] == 0 ? 2 : 1);
  }
  BoostReport report;
  const Examples validation = Made(5'000, 4);
  const auto trees = Boost(thinned, validation, BoostOptions(), &report);
  ASSERT_TRUE(trees.ok());
  EXPECT_LT(report.validation_loss, 0.43);
}

TEST(BoostTest, AMissingValueAnswersNo) {
  Examples train = Made(5'000, 5);
  for (size_t i = 0; i < train.size(); i += 3) train.features[4 * i] = std::numeric_limits<float>::quiet_NaN();
  BoostReport report;
  const auto trees = Boost(train, Made(1'000, 6), BoostOptions(), &report);
  ASSERT_TRUE(trees.ok());
  float score = 0;
  const std::vector<float> row(4, std::numeric_limits<float>::quiet_NaN());
  trees->Predict(row, 4, {&score, 1});
  EXPECT_TRUE(std::isfinite(score));
}

TEST(BoostTest, WhatDoesNotFitIsRefused) {
  BoostReport report;
  const Examples good = Made(100, 1);
  Examples bad = good;
  bad.targets[3] = 2;
  EXPECT_TRUE(absl::IsInvalidArgument(Boost(bad, good, {}, &report).status()));
  bad = good;
  bad.weights[3] = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(Boost(bad, good, {}, &report).status()));
  bad = good;
  bad.features.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(Boost(bad, good, {}, &report).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Boost(Examples(), Examples(), {}, &report).status()));
  BoostOptions stopped;
  stopped.stop = [] { return true; };
  EXPECT_TRUE(absl::IsUnavailable(Boost(good, good, stopped, &report).status()));
}

TEST(BoostTest, EqualTargetsGiveTheirChance) {
  Examples all = Made(1'000, 1);
  for (float& target : all.targets) target = 0;
  BoostReport report;
  const auto trees = Boost(all, all, {}, &report);
  ASSERT_TRUE(trees.ok());
  float score = 0;
  trees->Predict(std::span(all.features).first(4), 4, {&score, 1});
  EXPECT_LT(score, -5);
}

}  // namespace
}  // namespace bowerbird::learn::ranker
