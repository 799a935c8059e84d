// Scalable-vector targets are left out: the sums are halved until four lanes are left, which takes a known width.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "base/vector_math.cc"
#include "hwy/foreach_target.h"
// The line above compiles this file once for each instruction set; it must come before the kernels.
#include <bit>

#include "base/check.h"
#include "base/sum_lanes-inl.h"
#include "base/vector_math.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bowerbird::base {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

float DotKernel(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, size_t n) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    sum0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum0);
    sum1 = hn::MulAdd(hn::LoadU(d, a + i + lanes), hn::LoadU(d, b + i + lanes), sum1);
  }
  for (; i + lanes <= n; i += lanes) sum0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum0);
  float total = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

void MatrixVectorKernel(const float* HWY_RESTRICT matrix, const float* HWY_RESTRICT vector, size_t rows, size_t dim,
                        float* HWY_RESTRICT out) {
#if HWY_TARGET == HWY_SCALAR
  for (size_t r = 0; r < rows; ++r) out[r] = DotKernel(matrix + r * dim, vector, dim);
#else
  // Four rows at once: what a sum over lanes costs is shared. The last ones go along with copies of themselves, so that
  // a row's result does not depend on its place.
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t r = 0; r < rows; r += 4) {
    const size_t count = rows - r < 4 ? rows - r : 4;
    const float* row[4];
    for (size_t k = 0; k < 4; ++k) row[k] = matrix + (r + (k < count ? k : 0)) * dim;
    auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
    size_t i = 0;
    for (; i + lanes <= dim; i += lanes) {
      const auto v = hn::LoadU(d, vector + i);
      sum0 = hn::MulAdd(hn::LoadU(d, row[0] + i), v, sum0);
      sum1 = hn::MulAdd(hn::LoadU(d, row[1] + i), v, sum1);
      sum2 = hn::MulAdd(hn::LoadU(d, row[2] + i), v, sum2);
      sum3 = hn::MulAdd(hn::LoadU(d, row[3] + i), v, sum3);
    }
    HWY_ALIGN float sums[4];
    hn::StoreU(SumEach(SumToFour(d, sum0), SumToFour(d, sum1), SumToFour(d, sum2), SumToFour(d, sum3)), Lanes4(), sums);
    for (size_t k = 0; k < count; ++k) {
      out[r + k] = sums[k];
      for (size_t tail = i; tail < dim; ++tail) out[r + k] += row[k][tail] * vector[tail];
    }
  }
#endif
}

void AxpyKernel(float scale, const float* HWY_RESTRICT x, float* HWY_RESTRICT y, size_t n) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  const auto s = hn::Set(d, scale);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::MulAdd(s, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, y + i);
  for (; i < n; ++i) y[i] += scale * x[i];
}

void MatrixVectorBf16Kernel(const uint16_t* matrix, const float* vector, size_t rows, size_t dim, float* out) {
  const hn::ScalableTag<float> d;
  const hn::Rebind<uint16_t, decltype(d)> d16;
  const hn::RebindToUnsigned<decltype(d)> du;
  const size_t lanes = hn::Lanes(d);
  for (size_t r = 0; r < rows; ++r) {
    const uint16_t* row = matrix + r * dim;
    auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
    size_t i = 0;
    const auto widen = [&](size_t at) {
      return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(d16, row + at))));
    };
    for (; i + 2 * lanes <= dim; i += 2 * lanes) {
      sum0 = hn::MulAdd(widen(i), hn::LoadU(d, vector + i), sum0);
      sum1 = hn::MulAdd(widen(i + lanes), hn::LoadU(d, vector + i + lanes), sum1);
    }
    for (; i + lanes <= dim; i += lanes) sum0 = hn::MulAdd(widen(i), hn::LoadU(d, vector + i), sum0);
    float total = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
    for (; i < dim; ++i) total += std::bit_cast<float>(static_cast<uint32_t>(row[i]) << 16) * vector[i];
    out[r] = total;
  }
}

void FromBf16Kernel(const uint16_t* HWY_RESTRICT values, size_t n, float* HWY_RESTRICT out) {
  const hn::ScalableTag<float> d;
  const hn::Rebind<uint16_t, decltype(d)> d16;
  const hn::RebindToUnsigned<decltype(d)> du;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(d16, values + i)))), d, out + i);
  }
  for (; i < n; ++i) out[i] = std::bit_cast<float>(static_cast<uint32_t>(values[i]) << 16);
}

const char* TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace bowerbird::base
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bowerbird::base {

HWY_EXPORT(DotKernel);
HWY_EXPORT(MatrixVectorKernel);
HWY_EXPORT(AxpyKernel);
HWY_EXPORT(MatrixVectorBf16Kernel);
HWY_EXPORT(FromBf16Kernel);
HWY_EXPORT(TargetName);

float Dot(std::span<const float> a, std::span<const float> b) {
  BOWERBIRD_CHECK(a.size() == b.size());
  return HWY_DYNAMIC_DISPATCH(DotKernel)(a.data(), b.data(), a.size());
}

void MatrixVector(std::span<const float> matrix, std::span<const float> vector, std::span<float> out) {
  BOWERBIRD_CHECK(matrix.size() == vector.size() * out.size());
  HWY_DYNAMIC_DISPATCH(MatrixVectorKernel)(matrix.data(), vector.data(), out.size(), vector.size(), out.data());
}

void Axpy(float scale, std::span<const float> x, std::span<float> y) {
  BOWERBIRD_CHECK(x.size() == y.size());
  HWY_DYNAMIC_DISPATCH(AxpyKernel)(scale, x.data(), y.data(), x.size());
}

void MatrixVectorBf16(std::span<const uint16_t> matrix, std::span<const float> vector, std::span<float> out) {
  BOWERBIRD_CHECK(matrix.size() == vector.size() * out.size());
  HWY_DYNAMIC_DISPATCH(MatrixVectorBf16Kernel)(matrix.data(), vector.data(), out.size(), vector.size(), out.data());
}

uint16_t ToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 0x40);  // keep a NaN a NaN
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

void FromBf16(std::span<const uint16_t> values, std::span<float> out) {
  BOWERBIRD_CHECK(values.size() == out.size());
  HWY_DYNAMIC_DISPATCH(FromBf16Kernel)(values.data(), values.size(), out.data());
}

const char* SimdTargetName() { return HWY_DYNAMIC_DISPATCH(TargetName)(); }

}  // namespace bowerbird::base
#endif  // HWY_ONCE
