#include "model/fold_in.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/vector_math.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::model {
namespace {

std::vector<float> Random(size_t count, uint64_t seed) {
  base::Rng rng(seed);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(0.3 * rng.Normal());
  return values;
}

// The normal equations in double, by Gaussian elimination.
std::vector<double> Reference(const IalsObjective& objective, const std::vector<float>& factors, uint32_t dim,
                              const std::vector<uint32_t>& items, const std::vector<float>& weights) {
  const size_t count = factors.size() / dim, columns = dim + 1;
  std::vector<double> a(dim * columns);
  double observed = 0;
  for (float w : weights) observed += w;
  const double ridge = objective.regularization *
                       std::pow(observed + double{objective.unobserved_weight} * count, objective.frequency_exponent);
  for (size_t i = 0; i < dim; ++i) {
    for (size_t j = 0; j < dim; ++j) {
      for (size_t k = 0; k < count; ++k) {
        a[i * columns + j] += double{objective.unobserved_weight} * factors[k * dim + i] * factors[k * dim + j];
      }
      for (size_t k = 0; k < items.size(); ++k) {
        a[i * columns + j] += double{weights[k]} * factors[items[k] * dim + i] * factors[items[k] * dim + j];
      }
    }
    a[i * columns + i] += ridge;
    for (size_t k = 0; k < items.size(); ++k) a[i * columns + dim] += double{weights[k]} * factors[items[k] * dim + i];
  }
  for (size_t p = 0; p < dim; ++p) {
    for (size_t i = 0; i < dim; ++i) {
      if (i == p) continue;
      const double factor = a[i * columns + p] / a[p * columns + p];
      for (size_t j = p; j < columns; ++j) a[i * columns + j] -= factor * a[p * columns + j];
    }
  }
  std::vector<double> x(dim);
  for (size_t i = 0; i < dim; ++i) x[i] = a[i * columns + dim] / a[i * columns + i];
  return x;
}

TEST(FoldInTest, EqualsTheDenseSolutionInDouble) {
  for (uint32_t dim : {1u, 5u, 16u, 40u}) {
    for (float exponent : {1.0f, 0.5f}) {
      const IalsObjective objective{0.05f, 0.02f, exponent};
      const std::vector<float> factors = Random(300 * dim, dim);
      auto fold_in = FoldIn::Create(objective, 300, dim, Gramian(factors, dim));
      ASSERT_TRUE(fold_in.ok()) << fold_in.status().message();
      std::vector<uint32_t> items;
      std::vector<float> weights;
      for (uint32_t k = 0; k < 150; ++k) {
        items.push_back(k * 2);
        weights.push_back(0.25f + 0.01f * static_cast<float>(k));
      }
      const std::vector<double> expected = Reference(objective, factors, dim, items, weights);
      std::vector<float> x(dim);
      FoldIn::Scratch scratch;
      fold_in->Solve(factors, items, weights, scratch, x);
      for (uint32_t c = 0; c < dim; ++c) EXPECT_NEAR(x[c], expected[c], 1e-4) << dim;
    }
  }
}

class FoldInCasesTest : public testing::Test {
 protected:
  static constexpr uint32_t kDim = 12;
  std::vector<float> Solve(std::vector<uint32_t> items, std::vector<float> weights) {
    std::vector<float> x(kDim, 99.0f);
    fold_in_->Solve(factors_, items, weights, scratch_, x);
    return x;
  }
  const std::vector<float> factors_ = Random(100 * kDim, 3);
  absl::StatusOr<FoldIn> fold_in_ = FoldIn::Create({}, 100, kDim, Gramian(factors_, kDim));
  FoldIn::Scratch scratch_;
};

TEST_F(FoldInCasesTest, WithoutEvidenceTheFactorIsZero) {
  EXPECT_THAT(Solve({}, {}), testing::Each(0.0f));
  EXPECT_THAT(Solve({1, 2}, {0.0f, -3.0f}), testing::Each(0.0f));
}

TEST_F(FoldInCasesTest, SkipsEntriesWithoutWeight) {
  EXPECT_EQ(Solve({1, 7, 2}, {1, 0, 2}), Solve({1, 2}, {1, 2}));
  EXPECT_EQ(Solve({1, 7, 2}, {1, std::nanf(""), 2}), Solve({1, 2}, {1, 2}));
}

TEST_F(FoldInCasesTest, ARepeatedItemCountsWithTheSum) {
  const std::vector<float> repeated = Solve({5, 9, 5}, {1, 1, 2}), merged = Solve({5, 9}, {3, 1});
  for (uint32_t c = 0; c < kDim; ++c) EXPECT_NEAR(repeated[c], merged[c], 1e-5);
}

TEST_F(FoldInCasesTest, LeavesNoTraceInTheScratch) {
  const std::vector<float> first = Solve({1, 2, 3}, {1, 2, 3});
  Solve(std::vector<uint32_t>(200, 4), std::vector<float>(200, 1.0f));
  EXPECT_EQ(Solve({1, 2, 3}, {1, 2, 3}), first);
}

TEST_F(FoldInCasesTest, AWeightBeyondAnyMeasureGivesNoNan) {
  EXPECT_EQ(Solve({1, 2}, {std::numeric_limits<float>::infinity(), 1}), Solve({2}, {1}));
  for (float weight : {1e9f, 1e30f, 3e38f}) {
    for (float c : Solve({1, 2}, {weight, 1})) EXPECT_TRUE(std::isfinite(c)) << weight;
  }
}

TEST_F(FoldInCasesTest, Bf16RowsGiveTheAnswerOfTheirValues) {
  std::vector<uint16_t> halves;
  std::vector<float> widened;
  for (float v : factors_) {
    halves.push_back(base::ToBf16(v));
    widened.push_back(base::FromBf16(halves.back()));
  }
  const std::vector<uint32_t> items = {3, 8, 50};
  const std::vector<float> weights = {1, 2, 0.5f};
  std::vector<float> from_halves(kDim), from_floats(kDim);
  fold_in_->Solve(halves, items, weights, scratch_, from_halves);
  fold_in_->Solve(widened, items, weights, scratch_, from_floats);
  EXPECT_EQ(from_halves, from_floats);
}

struct BadCreate {
  std::string name;
  IalsObjective objective;
  uint32_t dim;
  std::vector<float> gramian;
};

class FoldInRefusesTest : public testing::TestWithParam<BadCreate> {};

TEST_P(FoldInRefusesTest, WithInvalidArgument) {
  EXPECT_EQ(FoldIn::Create(GetParam().objective, 10, GetParam().dim, GetParam().gramian).status().code(),
            absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(All, FoldInRefusesTest,
                         testing::Values(BadCreate{"zero_dim", {}, 0, {}}, BadCreate{"short", {}, 2, {1, 0, 0}},
                                         BadCreate{"nan", {}, 1, {std::nanf("")}},
                                         BadCreate{"no_ridge", {0.1f, 0.0f}, 1, {1}},
                                         BadCreate{"nan_ridge", {0.1f, std::nanf("")}, 1, {1}},
                                         BadCreate{"negative", {-0.1f, 1.0f}, 1, {1}},
                                         BadCreate{"huge_dim", {}, 5000, {}}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bowerbird::model
