#pragma once

#include <cstddef>
#include <cstdint>

namespace bowerbird::index {

/// Inner products of bfloat16 rows by the instruction that some x86 processors have for it (AVX512_BF16), two and a
/// half times as quick as widening each value. The query is given as the sum of two bfloat16 vectors, which is a
/// float32 to within its last bit, so that results agree with the other kernels' to rounding. A pointer is null where
/// the processor or the compiler does not know it.
///
/// `count` is a multiple of four up to 64; `stride`, of 32. Rows and query are padded with zeros to the stride.
struct Bf16DotKernels {
  /// scores[i] = inner product of rows[i], i < count.
  void (*score_rows)(const uint16_t* const* rows, size_t count, const uint16_t* high, const uint16_t* low,
                     size_t stride, float* scores) = nullptr;
  /// The same for rows one behind the other; one bit for each that is over `threshold`.
  uint64_t (*score_block)(const uint16_t* first, size_t count, const uint16_t* high, const uint16_t* low, size_t stride,
                          float threshold, float* scores) = nullptr;
};
const Bf16DotKernels& Bf16Dot();

}  // namespace bowerbird::index
