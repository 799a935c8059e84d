#include "base/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"

namespace bowerbird::base {
namespace {

// Every length near a multiple of the widest vector, against plain sums in double.
TEST(VectorMathTest, AgreesWithPlainSumsAtEveryLength) {
  Rng rng(3);
  for (size_t n = 0; n <= 130; ++n) {
    std::vector<float> a(n * 3), b(n);
    std::vector<uint16_t> a16(n * 3);
    for (size_t i = 0; i < a.size(); ++i) {
      a16[i] = ToBf16(static_cast<float>(rng.Normal()));
      a[i] = FromBf16(a16[i]);
    }
    for (float& x : b) x = static_cast<float>(rng.Normal());
    float exact[3], wide[3], narrow[3];
    for (int r = 0; r < 3; ++r) {
      double sum = 0;
      for (size_t i = 0; i < n; ++i) sum += static_cast<double>(a[r * n + i]) * b[i];
      exact[r] = static_cast<float>(sum);
    }
    MatrixVector(a, b, wide);
    MatrixVectorBf16(a16, b, narrow);
    for (int r = 0; r < 3; ++r) {
      EXPECT_NEAR(wide[r], exact[r], 1e-4) << n;
      EXPECT_NEAR(narrow[r], exact[r], 1e-4) << n;
    }
    std::vector<float> y(b);
    Axpy(2.0f, b, y);
    for (size_t i = 0; i < n; ++i) EXPECT_FLOAT_EQ(y[i], 3.0f * b[i]);
  }
}

TEST(VectorMathTest, Bf16RoundsToNearestAndKeepsSpecialValues) {
  EXPECT_EQ(FromBf16(ToBf16(1.0f)), 1.0f);
  EXPECT_NEAR(FromBf16(ToBf16(3.14159f)), 3.14159f, 0.01f);
  EXPECT_TRUE(std::isnan(FromBf16(ToBf16(NAN))));
  EXPECT_TRUE(std::isinf(FromBf16(ToBf16(INFINITY))));
}

}  // namespace
}  // namespace bowerbird::base
