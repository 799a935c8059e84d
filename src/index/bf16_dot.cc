#include "index/bf16_dot.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 warns of the deliberately undefined vectors in its own header (bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#endif

namespace bowerbird::index {
namespace {

#if defined(__x86_64__)
#define BOWERBIRD_TARGET_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

BOWERBIRD_TARGET_BF16 inline __m512bh Load(const uint16_t* values) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(values));
}

/// The sums over the lanes of four vectors.
BOWERBIRD_TARGET_BF16 inline __m128 SumEach(__m512 a, __m512 b, __m512 c, __m512 d) {
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  const __m512d ab_pairs = _mm512_castps_pd(ab), cd_pairs = _mm512_castps_pd(cd);
  const __m512 four = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab_pairs, cd_pairs)),
                                    _mm512_castpd_ps(_mm512_unpackhi_pd(ab_pairs, cd_pairs)));
  const __m256 halves = _mm256_add_ps(_mm512_castps512_ps256(four), _mm512_extractf32x8_ps(four, 1));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
}

/// The query in registers, where it has a known number of lines of 32 values.
template <size_t kLines>
struct Query {
  BOWERBIRD_TARGET_BF16 Query(const uint16_t* high_values, const uint16_t* low_values, size_t) {
    for (size_t i = 0; i < kLines; ++i) {
      high[i] = Load(high_values + 32 * i);
      low[i] = Load(low_values + 32 * i);
    }
  }
  BOWERBIRD_TARGET_BF16 __m512 Product(const uint16_t* row) const {
    __m512 sum = _mm512_setzero_ps();
    for (size_t i = 0; i < kLines; ++i) {
      const __m512bh values = Load(row + 32 * i);
      sum = _mm512_dpbf16_ps(_mm512_dpbf16_ps(sum, values, low[i]), values, high[i]);
    }
    return sum;
  }
  __m512bh high[kLines], low[kLines];
};

/// Any number of lines.
template <>
struct Query<0> {
  Query(const uint16_t* high_values, const uint16_t* low_values, size_t values)
      : high(high_values), low(low_values), stride(values) {}
  BOWERBIRD_TARGET_BF16 __m512 Product(const uint16_t* row) const {
    __m512 sum = _mm512_setzero_ps();
    for (size_t i = 0; i < stride; i += 32) {
      const __m512bh values = Load(row + i);
      sum = _mm512_dpbf16_ps(_mm512_dpbf16_ps(sum, values, Load(low + i)), values, Load(high + i));
    }
    return sum;
  }
  const uint16_t *high, *low;
  size_t stride;
};

template <size_t kLines>
BOWERBIRD_TARGET_BF16 void ScoreRowsOf(const uint16_t* const* rows, size_t count, const uint16_t* high,
                                       const uint16_t* low, size_t stride, float* scores) {
  const Query<kLines> query(high, low, stride);
  for (size_t r = 0; r < count; r += 4) {
    _mm_storeu_ps(scores + r, SumEach(query.Product(rows[r]), query.Product(rows[r + 1]), query.Product(rows[r + 2]),
                                      query.Product(rows[r + 3])));
  }
}

template <size_t kLines>
BOWERBIRD_TARGET_BF16 uint64_t ScoreBlockOf(const uint16_t* first, size_t count, const uint16_t* high,
                                            const uint16_t* low, size_t stride, float threshold, float* scores) {
  const Query<kLines> query(high, low, stride);
  const __m128 limit = _mm_set1_ps(threshold);
  uint64_t over = 0;
  for (size_t r = 0; r < count; r += 4) {
    const uint16_t* row = first + r * stride;
    const __m128 four = SumEach(query.Product(row), query.Product(row + stride), query.Product(row + 2 * stride),
                                query.Product(row + 3 * stride));
    _mm_storeu_ps(scores + r, four);
    over |= static_cast<uint64_t>(_mm_movemask_ps(_mm_cmpgt_ps(four, limit))) << r;
  }
  return over;
}

void ScoreRows(const uint16_t* const* rows, size_t count, const uint16_t* high, const uint16_t* low, size_t stride,
               float* scores) {
  switch (stride / 32) {
    case 1:
      return ScoreRowsOf<1>(rows, count, high, low, stride, scores);
    case 2:
      return ScoreRowsOf<2>(rows, count, high, low, stride, scores);
    case 4:
      return ScoreRowsOf<4>(rows, count, high, low, stride, scores);
    default:
      return ScoreRowsOf<0>(rows, count, high, low, stride, scores);
  }
}

uint64_t ScoreBlock(const uint16_t* first, size_t count, const uint16_t* high, const uint16_t* low, size_t stride,
                    float threshold, float* scores) {
  switch (stride / 32) {
    case 1:
      return ScoreBlockOf<1>(first, count, high, low, stride, threshold, scores);
    case 2:
      return ScoreBlockOf<2>(first, count, high, low, stride, threshold, scores);
    case 4:
      return ScoreBlockOf<4>(first, count, high, low, stride, threshold, scores);
    default:
      return ScoreBlockOf<0>(first, count, high, low, stride, threshold, scores);
  }
}

Bf16DotKernels Choose() {
  if (__builtin_cpu_supports("avx512bf16") == 0) return {};
  return {ScoreRows, ScoreBlock};
}
#else
Bf16DotKernels Choose() { return {}; }
#endif

}  // namespace

const Bf16DotKernels& Bf16Dot() {
  static const Bf16DotKernels kernels = Choose();
  return kernels;
}

}  // namespace bowerbird::index
