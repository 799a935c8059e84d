#include "model/tree_ensemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace bowerbird::model {
namespace {

TreeEnsemble RandomTrees(uint32_t count, uint32_t depth, uint32_t width, std::mt19937_64* random) {
  std::normal_distribution<float> around(0, 1);
  TreeEnsemble trees;
  trees.depth = depth;
  trees.bias = around(*random);
  for (uint32_t f = 0; f < width; ++f) trees.feature_names.push_back("f" + std::to_string(f));
  for (uint32_t i = 0; i < count * depth; ++i) {
    trees.features.push_back(static_cast<uint32_t>((*random)() % width));
    trees.thresholds.push_back(around(*random));
  }
  for (uint32_t i = 0; i < count << depth; ++i) trees.leaves.push_back(around(*random));
  return trees;
}

/// One row, one tree, one question after another.
float Reference(const TreeEnsemble& trees, const float* row) {
  float sum = trees.bias;
  for (size_t t = 0; t < trees.trees(); ++t) {
    size_t leaf = 0;
    for (uint32_t d = 0; d < trees.depth; ++d) {
      const size_t question = t * trees.depth + d;
      if (row[trees.features[question]] > trees.thresholds[question]) leaf |= size_t{1} << d;
    }
    sum += trees.leaves[(t << trees.depth) + leaf];
  }
  return sum;
}

TEST(TreeEnsembleTest, BlocksGiveTheBitsOfOneRowAfterTheOther) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::normal_distribution<float> around(0, 1);
  for (const uint32_t depth : {1u, 3u, 6u, 8u}) {
    const TreeEnsemble trees = RandomTrees(20, depth, 7, &random);
    for (const size_t rows : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{300}}) {
      std::vector<float> values(rows * 7), scores(rows);
      for (float& value : values) {
        value = random() % 9 == 0 ? std::numeric_limits<float>::quiet_NaN() : around(random);
      }
      trees.Predict(values, 7, scores);
      for (size_t i = 0; i < rows; ++i)
        EXPECT_EQ(std::bit_cast<uint32_t>(scores[i]), std::bit_cast<uint32_t>(Reference(trees, &values[i * 7])));
    }
  }
}

TEST(TreeEnsembleTest, ComesBackFromItsFile) {
  std::mt19937_64 random(1);
  const TreeEnsemble trees = RandomTrees(5, 4, 3, &random);
  const auto bytes = trees.Serialize();
  ASSERT_TRUE(bytes.ok());
  const auto back = TreeEnsemble::Parse(*bytes);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->feature_names, trees.feature_names);
  EXPECT_EQ(back->features, trees.features);
  EXPECT_EQ(back->thresholds, trees.thresholds);
  EXPECT_EQ(back->leaves, trees.leaves);
  EXPECT_EQ(back->bias, trees.bias);
}

TEST(TreeEnsembleTest, AnyBytesAreReadOrRefused) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::string bytes = *RandomTrees(3, 2, 4, &random).Serialize();
  const std::vector<float> row(4);
  for (int i = 0; i < 20'000; ++i) {
    std::string broken = bytes;
    for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes)
      broken[random() % broken.size()] = static_cast<char>(random());
    if (random() % 4 == 0) broken.resize(random() % broken.size());
    const auto read = TreeEnsemble::Parse(broken);
    if (!read.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(read.status())) << read.status();
      continue;
    }
    // What is taken can be asked.
    float score = 0;
    const std::vector<float> wide(read->feature_names.size());
    read->Predict(wide, wide.size(), {&score, 1});
  }
}

TEST(TreeEnsembleTest, ShapesThatDoNotFitAreNotWritten) {
  std::mt19937_64 random(1);
  TreeEnsemble trees = RandomTrees(2, 3, 3, &random);
  trees.leaves.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(trees.Serialize().status()));
  EXPECT_TRUE(absl::IsInvalidArgument(TreeEnsemble().Serialize().status()));
}

TEST(TreeEnsembleTest, NamesMayHoldCommasInParentheses) {
  std::mt19937_64 random(3);
  TreeEnsemble trees = RandomTrees(2, 2, 3, &random);
  trees.feature_names = {"ials", "dot(user.features.a.v,item.features.b.v)", "item.features.b.n"};
  const auto bytes = trees.Serialize();
  ASSERT_TRUE(bytes.ok());
  const auto again = TreeEnsemble::Parse(*bytes);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->feature_names, trees.feature_names);
}

}  // namespace
}  // namespace bowerbird::model
