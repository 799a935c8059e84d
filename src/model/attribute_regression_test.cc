#include "model/attribute_regression.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::model {
namespace {

// Items with one or two of `kColumns` attribute values and two dense numbers each; factors are linear in them, plus
// noise.
class AttributeRegressionTest : public testing::Test {
 protected:
  static constexpr uint32_t kItems = 400, kColumns = 9, kDense = 2, kDim = 5;

  AttributeRegressionTest() {
    base::Rng rng(7);
    truth_.resize((1 + kColumns + kDense) * kDim);
    for (float& v : truth_) v = static_cast<float>(rng.Normal());
    offsets_.push_back(0);
    for (uint32_t item = 0; item < kItems; ++item) {
      const uint32_t first = static_cast<uint32_t>(rng.Below(kColumns)),
                     second = static_cast<uint32_t>(rng.Below(kColumns));
      columns_.push_back(first);
      if (second != first) columns_.push_back(second);
      offsets_.push_back(columns_.size());
      for (uint32_t c = 0; c < kDense; ++c) dense_.push_back(static_cast<float>(rng.Normal()));
      for (uint32_t f = 0; f < kDim; ++f) {
        double value = truth_[f] + 0.01 * rng.Normal();
        for (uint64_t k = offsets_[item]; k < offsets_[item + 1]; ++k) value += truth_[(1 + columns_[k]) * kDim + f];
        for (uint32_t c = 0; c < kDense; ++c)
          value += truth_[(1 + kColumns + c) * kDim + f] * dense_[item * kDense + c];
        factors_.push_back(static_cast<float>(value));
      }
    }
  }

  FeatureRows Features() const { return {kColumns, kDense, offsets_, columns_, {}, dense_}; }

  std::vector<float> truth_, factors_, dense_;
  std::vector<uint64_t> offsets_;
  std::vector<uint32_t> columns_;
};

TEST_F(AttributeRegressionTest, FindsALinearMapAndPredictsItemsItNeverSaw) {
  auto regression = AttributeRegression::Train(Features(), factors_, kDim, {}, {.lambda = 0.01f});
  ASSERT_TRUE(regression.ok()) << regression.status().message();
  std::vector<float> factor(kDim);
  const std::vector<uint32_t> columns = {2, 5};
  const std::vector<float> dense = {0.5f, -1.0f};
  regression->Predict(columns, {}, dense, factor);
  for (uint32_t f = 0; f < kDim; ++f) {
    const float expected =
        truth_[f] + truth_[3 * kDim + f] + truth_[6 * kDim + f] + 0.5f * truth_[10 * kDim + f] - truth_[11 * kDim + f];
    EXPECT_NEAR(factor[f], expected, 0.05);
  }
}

TEST_F(AttributeRegressionTest, SatisfiesTheNormalEquations) {
  std::vector<float> item_weights;
  for (uint32_t item = 0; item < kItems; ++item) item_weights.push_back(0.5f + static_cast<float>(item % 7));
  const float lambda = 3;
  auto regression =
      AttributeRegression::Train(Features(), factors_, kDim, item_weights, {.lambda = lambda, .tolerance = 1e-6});
  ASSERT_TRUE(regression.ok());
  // The gradient of the objective at the solution, by feature row.
  std::vector<double> gradient((1 + kColumns + kDense) * kDim);
  std::vector<float> factor(kDim);
  for (uint32_t item = 0; item < kItems; ++item) {
    const auto columns = std::span(columns_).subspan(offsets_[item], offsets_[item + 1] - offsets_[item]);
    const auto dense = std::span(dense_).subspan(item * kDense, kDense);
    regression->Predict(columns, {}, dense, factor);
    for (uint32_t f = 0; f < kDim; ++f) {
      const double miss = item_weights[item] * (static_cast<double>(factor[f]) - factors_[item * kDim + f]);
      gradient[f] += miss;
      for (uint32_t c : columns) gradient[(1 + c) * kDim + f] += miss;
      for (uint32_t c = 0; c < kDense; ++c) gradient[(1 + kColumns + c) * kDim + f] += miss * dense[c];
    }
  }
  for (size_t k = 0; k < gradient.size(); ++k) {
    const double penalty = k < kDim ? 0 : lambda * regression->weights()[k];
    EXPECT_NEAR(gradient[k] + penalty, 0, 0.05) << k;
  }
}

TEST_F(AttributeRegressionTest, AnyThreadCountGivesTheSameBits) {
  auto one = AttributeRegression::Train(Features(), factors_, kDim, {}, {.threads = 1});
  auto five = AttributeRegression::Train(Features(), factors_, kDim, {}, {.threads = 5});
  ASSERT_TRUE(one.ok() && five.ok());
  EXPECT_THAT(one->weights(), testing::ElementsAreArray(five->weights()));
}

TEST_F(AttributeRegressionTest, AnItemWithoutFeaturesGetsTheIntercept) {
  auto regression = AttributeRegression::Train(Features(), factors_, kDim, {}, {});
  ASSERT_TRUE(regression.ok());
  std::vector<float> factor(kDim);
  regression->Predict(std::vector<uint32_t>{kColumns + 5}, {}, {}, factor);  // out of range: left out
  EXPECT_THAT(factor, testing::ElementsAreArray(regression->weights().first(kDim)));
}

TEST_F(AttributeRegressionTest, WeightsMakeTheSameMapAgain) {
  auto regression = AttributeRegression::Train(Features(), factors_, kDim, {}, {});
  ASSERT_TRUE(regression.ok());
  auto again = AttributeRegression::FromWeights(kColumns, kDense, kDim,
                                                {regression->weights().begin(), regression->weights().end()});
  ASSERT_TRUE(again.ok());
  EXPECT_THAT(again->weights(), testing::ElementsAreArray(regression->weights()));
  EXPECT_FALSE(AttributeRegression::FromWeights(kColumns, kDense, kDim, {1, 2, 3}).ok());
  EXPECT_FALSE(AttributeRegression::FromWeights(0, 0, 1, {std::nanf("")}).ok());
}

TEST_F(AttributeRegressionTest, RefusesWhatDoesNotFit) {
  const auto refused = [&](FeatureRows features, std::span<const float> factors, std::span<const float> weights,
                           float lambda) {
    return AttributeRegression::Train(features, factors, kDim, weights, {.lambda = lambda}).status().code() ==
           absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(Features(), std::span(factors_).first(7), {}, 1));
  EXPECT_TRUE(refused(Features(), factors_, {}, 0));
  EXPECT_TRUE(refused(Features(), factors_, std::vector<float>(kItems, 0.0f), 1));
  EXPECT_TRUE(refused(Features(), factors_, std::vector<float>(3, 1.0f), 1));
  FeatureRows narrow = Features();
  narrow.column_count = 3;
  EXPECT_TRUE(refused(narrow, factors_, {}, 1));
  FeatureRows empty;
  EXPECT_TRUE(refused(empty, {}, {}, 1));
  std::vector<uint64_t> descending = offsets_;
  descending[1] = columns_.size() + 9;
  FeatureRows broken = Features();
  broken.offsets = descending;
  EXPECT_TRUE(refused(broken, factors_, {}, 1));
  std::vector<float> infinite = factors_;
  infinite[3] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(refused(Features(), infinite, {}, 1));
}

TEST(AttributeColumnTest, TellsAttributesAndValuesApart) {
  std::set<uint32_t> columns;
  for (const std::string attribute : {"genre", "creator"}) {
    for (int value = 0; value < 100; ++value)
      columns.insert(AttributeColumn(attribute, std::to_string(value), 1u << 20));
  }
  EXPECT_GE(columns.size(), 199u);
  EXPECT_LT(AttributeColumn("a", "b", 3), 3u);
  EXPECT_NE(AttributeColumn("ab", "c", 1u << 30), AttributeColumn("a", "bc", 1u << 30));
}

}  // namespace
}  // namespace bowerbird::model
