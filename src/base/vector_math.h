#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bowerbird::base {

/// Kernels over float32 vectors, dispatched at run time to the widest instruction set of the machine (Highway); the
/// portable path sums in another order, so results agree to rounding only.

/// Sum of a[i] * b[i]; a.size() == b.size().
float Dot(std::span<const float> a, std::span<const float> b);

/// out[r] = dot(matrix row r, vector): `matrix` is row-major {out.size(), vector.size()}.
void MatrixVector(std::span<const float> matrix, std::span<const float> vector, std::span<float> out);

/// y += scale * x.
void Axpy(float scale, std::span<const float> x, std::span<float> y);

/// out[r] = dot(row r, vector) where rows are stored as bfloat16 (the upper half of a float32), row-major.
void MatrixVectorBf16(std::span<const uint16_t> matrix, std::span<const float> vector, std::span<float> out);

/// bfloat16 nearest to `value`, ties to even.
uint16_t ToBf16(float value);
inline float FromBf16(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }

/// Each of them; out.size() == values.size().
void FromBf16(std::span<const uint16_t> values, std::span<float> out);

/// The instruction set in use, such as "AVX3_ZEN4", for reports.
const char* SimdTargetName();

}  // namespace bowerbird::base
