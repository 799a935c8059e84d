#include "model/dense_kernels.h"

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::model {
namespace {

std::vector<float> Random(size_t count, uint64_t seed) {
  base::Rng rng(seed);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(rng.Normal());
  return values;
}

TEST(DenseKernelsTest, PanelProductsMatchDoubleSums) {
  for (size_t size : {1, 3, 8, 15, 16, 17, 31, 33, 64, 100, 129}) {
    for (size_t depth : {1, 5, 64}) {
      const size_t width = Padded(size), stride = Padded(size + 1);
      const std::vector<float> panel = Random(depth * width, size * 100 + depth);
      std::vector<float> matrix(MatrixFloats(size, stride), 2.0f);
      AddPanelProducts(panel.data(), depth, width, size, matrix.data(), stride);
      for (size_t i = 0; i < size; ++i) {
        for (size_t j = i; j < size; ++j) {
          double expected = 2;
          for (size_t k = 0; k < depth; ++k)
            expected += static_cast<double>(panel[k * width + i]) * panel[k * width + j];
          ASSERT_NEAR(matrix[i * stride + j], expected, 1e-4) << size << " " << depth << " at " << i << "," << j;
        }
      }
    }
  }
}

TEST(DenseKernelsTest, SolvesPositiveDefiniteSystemsOfEverySizeSideBySide) {
  for (size_t size = 1; size <= 80; size += size < 40 ? 1 : 13) {
    const size_t stride = Padded(size + 1), depth = size + 4, systems = 1 + size % kMaxSystems;
    const std::vector<float> truth = Random(systems * size, size + 1000);
    std::vector<float> matrices(systems * MatrixFloats(size, stride), 0.0f);
    for (size_t s = 0; s < systems; ++s) {
      float* matrix = matrices.data() + s * MatrixFloats(size, stride);
      const std::vector<float> panel = Random(depth * Padded(size), size * 10 + s);
      AddPanelProducts(panel.data(), depth, Padded(size), size, matrix, stride);
      for (size_t i = 0; i < size; ++i) matrix[i * stride + i] += 1;
      for (size_t i = 0; i < size; ++i) {
        double right = 0;
        for (size_t j = 0; j < size; ++j) {
          right += static_cast<double>(matrix[std::min(i, j) * stride + std::max(i, j)]) * truth[s * size + j];
        }
        matrix[i * stride + size] = static_cast<float>(right);
      }
    }
    std::vector<float> x(systems * size);
    SolvePositiveDefinite(matrices.data(), systems, size, stride, 1.0f, x.data());
    for (size_t k = 0; k < x.size(); ++k) ASSERT_NEAR(x[k], truth[k], 2e-3) << size << " at " << k;
  }
}

TEST(DenseKernelsTest, RaisesAPivotThatRoundingSpoilt) {
  for (float bad : {0.0f, -1.0f, std::nanf("")}) {
    std::vector<float> matrix(MatrixFloats(2, 16), 0.0f);
    matrix[0] = 1;
    matrix[2] = 5;
    matrix[16 + 1] = bad;
    matrix[16 + 2] = 6;
    std::vector<float> x(2);
    SolvePositiveDefinite(matrix.data(), 1, 2, 16, 2.0f, x.data());
    EXPECT_FLOAT_EQ(x[0], 2.5f) << bad;
    EXPECT_TRUE(std::isnan(bad) || std::isfinite(x[1]));
  }
}

TEST(DenseKernelsTest, GathersTransposedAndStraight) {
  for (size_t dim : {1, 4, 7, 33}) {
    for (size_t count : {1, 3, 4, 17}) {
      const std::vector<float> values = Random(count * dim, dim), row_scale = Random(count, 1),
                               column_scale = Random(dim, 2);
      std::vector<const float*> rows;
      for (size_t r = 0; r < count; ++r) rows.push_back(values.data() + r * dim);
      const size_t stride = Padded(count);
      std::vector<float> transposed(dim * stride, 9.0f);
      GatherTransposed(rows.data(), row_scale.data(), column_scale.data(), count, dim, stride, transposed.data());
      const size_t straight_stride = Padded(dim + 1);
      std::vector<float> straight(count * straight_stride, 9.0f);
      GatherRows(rows.data(), row_scale.data(), column_scale.data(), row_scale.data(), count, dim, straight_stride,
                 straight.data());
      std::vector<float> sum(dim);
      WeightedSum(rows.data(), row_scale.data(), count, dim, sum.data());
      for (size_t c = 0; c < dim; ++c) {
        double expected_sum = 0;
        for (size_t r = 0; r < count; ++r) {
          const float expected = values[r * dim + c] * row_scale[r] * column_scale[c];
          EXPECT_NEAR(transposed[c * stride + r], expected, 1e-5);
          EXPECT_NEAR(straight[r * straight_stride + c], expected, 1e-5);
          expected_sum += values[r * dim + c] * row_scale[r];
        }
        for (size_t r = count; r < stride; ++r) EXPECT_EQ(transposed[c * stride + r], 0.0f);
        EXPECT_NEAR(sum[c], expected_sum, 1e-4);
      }
      for (size_t r = 0; r < count; ++r) {
        EXPECT_EQ(straight[r * straight_stride + dim], row_scale[r]);
        for (size_t c = dim + 1; c < straight_stride; ++c) EXPECT_EQ(straight[r * straight_stride + c], 0.0f);
      }
    }
  }
}

TEST(DenseKernelsTest, RowProductsAreDotsAndTouchNothingElse) {
  for (size_t a_rows : {1, 9, 70}) {
    for (size_t b_rows : {1, 47, 48, 101}) {
      for (size_t dim : {1, 6, 64}) {
        const std::vector<float> a = Random(a_rows * dim, 1), b = Random(b_rows * dim, 2);
        const size_t stride = b_rows + 3;
        std::vector<float> c(a_rows * stride, 7.0f);
        RowProducts(a.data(), a_rows, b.data(), b_rows, dim, c.data(), stride);
        for (size_t i = 0; i < a_rows; ++i) {
          for (size_t j = 0; j < stride; ++j) {
            double expected = j < b_rows ? 0 : 7;
            for (size_t k = 0; k < dim && j < b_rows; ++k)
              expected += static_cast<double>(a[i * dim + k]) * b[j * dim + k];
            ASSERT_NEAR(c[i * stride + j], expected, 1e-4);
          }
        }
      }
    }
  }
}

TEST(DenseKernelsTest, InverseSquareRoots) {
  const std::vector<float> values = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
  std::vector<float> out(values.size());
  InverseSquareRoots(values, 2.0f, 0.5f, out.data());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_FLOAT_EQ(out[i], 1.0f / std::sqrt(2.0f * values[i] + 0.5f));
}

}  // namespace
}  // namespace bowerbird::model
