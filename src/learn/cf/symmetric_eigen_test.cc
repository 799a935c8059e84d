#include "learn/cf/symmetric_eigen.h"

#include <cmath>

#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::learn::cf {
namespace {

void ExpectDecomposes(const std::vector<double>& matrix, size_t size, double tolerance) {
  const SymmetricEigen eigen = DecomposeSymmetric(matrix, size);
  for (size_t i = 0; i < size; ++i) {
    EXPECT_GE(eigen.values[i > 0 ? i - 1 : 0], eigen.values[i]);
    for (size_t j = 0; j < size; ++j) {
      double entry = 0, product = 0;
      for (size_t k = 0; k < size; ++k) {
        entry += eigen.values[k] * eigen.vectors[k * size + i] * eigen.vectors[k * size + j];
        product += eigen.vectors[i * size + k] * eigen.vectors[j * size + k];
      }
      ASSERT_NEAR(entry, matrix[i * size + j], tolerance) << size << " at " << i << "," << j;
      ASSERT_NEAR(product, i == j ? 1.0 : 0.0, 1e-10) << size << " at " << i << "," << j;
    }
  }
}

TEST(SymmetricEigenTest, RebuildsRandomMatrices) {
  base::Rng rng(11);
  for (size_t size : {1, 2, 3, 4, 7, 16, 33, 90}) {
    std::vector<double> matrix(size * size);
    for (size_t i = 0; i < size; ++i) {
      for (size_t j = i; j < size; ++j) matrix[i * size + j] = matrix[j * size + i] = rng.Normal();
    }
    ExpectDecomposes(matrix, size, 1e-10);
  }
}

TEST(SymmetricEigenTest, RebuildsSpecialMatrices) {
  for (size_t size : {1, 2, 5, 20}) {
    std::vector<double> zero(size * size), identity(size * size), ones(size * size, 1.0), graded(size * size);
    for (size_t i = 0; i < size; ++i) {
      identity[i * size + i] = 1;
      for (size_t j = 0; j < size; ++j) graded[i * size + j] = std::pow(10.0, -static_cast<double>(i + j));
    }
    ExpectDecomposes(zero, size, 0);
    ExpectDecomposes(identity, size, 1e-12);
    ExpectDecomposes(ones, size, 1e-12);
    ExpectDecomposes(graded, size, 1e-12);
  }
}

}  // namespace
}  // namespace bowerbird::learn::cf
