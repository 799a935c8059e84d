#include "index/exact.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/vector_math.h"

namespace bowerbird::index {
namespace {

struct Matrix {
  Matrix(uint32_t count, uint32_t dim, base::Rng* rng)
      : values(static_cast<size_t>(count) * FactorRows::Stride(dim), 0), eligible((count + 63) / 64, ~uint64_t{0}) {
    rows = {values.data(), count, dim};
    for (uint32_t r = 0; r < count; ++r) {
      for (uint32_t c = 0; c < dim; ++c) {
        values[static_cast<size_t>(r) * rows.stride() + c] = base::ToBf16(static_cast<float>(rng->Normal()));
      }
    }
    for (uint32_t r = 0; r < count; ++r) inverse_norms.push_back(static_cast<float>(1 / std::sqrt(Dot(r, Row(r)))));
  }
  std::vector<float> Row(uint32_t r) const {
    std::vector<float> row;
    for (const uint16_t value : rows.Row(Ordinal(r))) row.push_back(base::FromBf16(value));
    return row;
  }
  double Dot(uint32_t r, const std::vector<float>& query) const {
    double sum = 0;
    for (uint32_t c = 0; c < rows.dim; ++c) {
      sum += static_cast<double>(base::FromBf16(rows.Row(Ordinal(r))[c])) * query[c];
    }
    return sum;
  }
  bool Eligible(uint32_t r) const { return (eligible[r / 64] >> (r % 64)) & 1; }

  std::vector<uint16_t> values;
  std::vector<uint64_t> eligible;
  std::vector<float> inverse_norms;
  FactorRows rows;
};

std::vector<float> Query(uint32_t dim, base::Rng* rng) {
  std::vector<float> query;
  for (uint32_t c = 0; c < dim; ++c) query.push_back(static_cast<float>(rng->Normal()));
  return query;
}

/// The hits are the best of `exact` (by row, in double) but for near ties, in order, and eligible.
void ExpectBest(const Matrix& matrix, const std::vector<Hit>& hits, const std::vector<double>& exact, uint32_t k) {
  constexpr double kTolerance = 1e-4;
  std::vector<double> best;
  for (uint32_t r = 0; r < exact.size(); ++r) {
    if (matrix.Eligible(r)) best.push_back(exact[r]);
  }
  std::ranges::sort(best, std::greater());
  ASSERT_EQ(hits.size(), std::min<size_t>(k, best.size()));
  for (size_t i = 0; i < hits.size(); ++i) {
    ASSERT_TRUE(matrix.Eligible(hits[i].ordinal.value));
    EXPECT_NEAR(hits[i].score, exact[hits[i].ordinal.value], kTolerance);
    EXPECT_NEAR(hits[i].score, best[i], kTolerance);
    if (i > 0) {
      EXPECT_TRUE(hits[i - 1].score > hits[i].score ||
                  (hits[i - 1].score == hits[i].score && hits[i - 1].ordinal < hits[i].ordinal));
    }
  }
}

struct Shape {
  uint32_t count, dim, k;
};
class ExactAgainstDoubleTest : public testing::TestWithParam<Shape> {};

TEST_P(ExactAgainstDoubleTest, InnerProductsAndCosinesUnderAnyBitmap) {
  const auto [count, dim, k] = GetParam();
  base::Rng rng(count * 31 + dim);
  Matrix matrix(count, dim, &rng);
  for (const double share : {1.0, 0.5, 0.02, 0.0}) {
    for (uint64_t& word : matrix.eligible) {
      word = 0;
      for (int bit = 0; bit < 64; ++bit) word |= static_cast<uint64_t>(rng.Bernoulli(share)) << bit;
    }
    const std::vector<float> query = Query(dim, &rng);
    double norm = 0;
    for (const float value : query) norm += static_cast<double>(value) * value;
    std::vector<double> products, cosines;
    for (uint32_t r = 0; r < count; ++r) {
      products.push_back(matrix.Dot(r, query));
      cosines.push_back(products.back() * matrix.inverse_norms[r] / std::sqrt(norm));
    }
    ExpectBest(matrix, TopInnerProducts(matrix.rows, query, matrix.eligible, k), products, k);
    ExpectBest(matrix, TopCosines(matrix.rows, matrix.inverse_norms, query, matrix.eligible, k), cosines, k);
  }
}
INSTANTIATE_TEST_SUITE_P(Shapes, ExactAgainstDoubleTest,
                         testing::Values(Shape{1, 1, 1}, Shape{63, 3, 5}, Shape{64, 32, 64}, Shape{65, 33, 10},
                                         Shape{1000, 64, 100}, Shape{3001, 100, 500}, Shape{500, 128, 1000}),
                         [](const auto& info) {
                           return std::to_string(info.param.count) + "x" + std::to_string(info.param.dim) + "k" +
                                  std::to_string(info.param.k);
                         });

TEST(ExactTest, TiesGoToTheSmallerOrdinal) {
  base::Rng rng(7);
  Matrix matrix(1000, 16, &rng);
  // Ten different rows, a hundred times each.
  for (uint32_t r = 10; r < 1000; ++r) {
    std::copy_n(matrix.values.begin() + (r % 10) * matrix.rows.stride(), matrix.rows.stride(),
                matrix.values.begin() + r * matrix.rows.stride());
  }
  const std::vector<float> query = Query(16, &rng);
  const std::vector<Hit> hits = TopInnerProducts(matrix.rows, query, matrix.eligible, 150);
  ASSERT_EQ(hits.size(), 150u);
  const uint32_t first = hits[0].ordinal.value;
  EXPECT_LT(first, 10u);
  for (uint32_t i = 0; i < 100; ++i) EXPECT_EQ(hits[i].ordinal.value, first + 10 * i);
  const uint32_t second = hits[100].ordinal.value;
  for (uint32_t i = 0; i < 50; ++i) EXPECT_EQ(hits[100 + i].ordinal.value, second + 10 * i);
}

TEST(ExactTest, AScoreDependsNeitherOnTheBitmapNorOnK) {
  base::Rng rng(8);
  Matrix matrix(500, 50, &rng);
  const std::vector<float> query = Query(50, &rng);
  const std::vector<Hit> all = TopInnerProducts(matrix.rows, query, matrix.eligible, 500);
  ASSERT_EQ(all.size(), 500u);
  for (const Hit& hit : all) {
    std::vector<uint64_t> one(matrix.eligible.size(), 0);
    one[hit.ordinal.value / 64] = uint64_t{1} << (hit.ordinal.value % 64);
    EXPECT_EQ(TopInnerProducts(matrix.rows, query, one, 3), std::vector<Hit>{hit});
  }
  const std::vector<Hit> few = TopInnerProducts(matrix.rows, query, matrix.eligible, 7);
  EXPECT_EQ(few, std::vector<Hit>(all.begin(), all.begin() + 7));
}

TEST(ExactTest, RowsWithoutDirectionAreNoCosineHits) {
  base::Rng rng(9);
  Matrix matrix(100, 8, &rng);
  std::fill_n(matrix.values.begin() + 3 * matrix.rows.stride(), 8, uint16_t{0});
  matrix.inverse_norms[3] = 0;
  const std::vector<Hit> hits = TopCosines(matrix.rows, matrix.inverse_norms, Query(8, &rng), matrix.eligible, 100);
  EXPECT_EQ(hits.size(), 99u);
  EXPECT_TRUE(std::ranges::none_of(hits, [](const Hit& hit) { return hit.ordinal == Ordinal(3); }));
  EXPECT_TRUE(TopCosines(matrix.rows, matrix.inverse_norms, std::vector<float>(8, 0.0f), matrix.eligible, 100).empty());
}

TEST(ExactTest, NothingForNoRowsOrNoK) {
  base::Rng rng(10);
  Matrix matrix(10, 4, &rng);
  EXPECT_TRUE(TopInnerProducts(matrix.rows, Query(4, &rng), matrix.eligible, 0).empty());
  EXPECT_TRUE(TopInnerProducts(FactorRows{nullptr, 0, 4}, Query(4, &rng), {}, 5).empty());
}

}  // namespace
}  // namespace bowerbird::index
