// Scalable-vector targets are left out: their vectors cannot be held in arrays, and the register tiles below are
// arrays.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/dense_kernels.cc"
#include "hwy/foreach_target.h"
// The line above compiles this file once for each instruction set; it must come before the kernels.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "hwy/highway.h"
#include "model/dense_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace bowerbird::model {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, kPad>;
using Vec = hn::Vec<Tag>;
constexpr size_t kLanes = hn::MaxLanes(Tag());
// The tile that a multiply keeps in registers: kTileRows x kTileVecs accumulators, one vector row of the right operand,
// one broadcast.
constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64;
constexpr size_t kTileRows = kManyRegisters ? 8 : 4;
constexpr size_t kTileVecs = kManyRegisters ? 3 : 2;

enum class Store { kSet, kAdd, kSubtract };

// out tile (kRows x kVecs vectors) gets, by `mode`, sum over k < depth of left(row r, k) * right[k][lane].
template <size_t kRows, size_t kVecs, Store kMode>
HWY_INLINE void Tile(const float* HWY_RESTRICT left, size_t row_step, size_t depth_step,
                     const float* HWY_RESTRICT right, size_t right_stride, size_t depth, float* HWY_RESTRICT out,
                     size_t out_stride) {
  const Tag d;
  Vec sum[kRows][kVecs];
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kVecs; ++v) sum[r][v] = hn::Zero(d);
  }
  for (size_t k = 0; k < depth; ++k) {
    Vec row[kVecs];
    for (size_t v = 0; v < kVecs; ++v) row[v] = hn::LoadU(d, right + k * right_stride + v * kLanes);
    for (size_t r = 0; r < kRows; ++r) {
      const Vec broadcast = hn::Set(d, left[r * row_step + k * depth_step]);
      for (size_t v = 0; v < kVecs; ++v) sum[r][v] = hn::MulAdd(broadcast, row[v], sum[r][v]);
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kVecs; ++v) {
      float* at = out + r * out_stride + v * kLanes;
      if constexpr (kMode == Store::kAdd) sum[r][v] = hn::Add(hn::LoadU(d, at), sum[r][v]);
      if constexpr (kMode == Store::kSubtract) sum[r][v] = hn::Sub(hn::LoadU(d, at), sum[r][v]);
      hn::StoreU(sum[r][v], d, at);
    }
  }
}

// One strip of kVecs vectors wide, all rows of the left operand.
template <size_t kVecs>
HWY_INLINE void Strip(const float* left, size_t left_stride, const float* right, size_t right_stride, size_t depth,
                      size_t rows, float* out, size_t out_stride) {
  size_t r = 0;
  for (; r + kTileRows <= rows; r += kTileRows) {
    Tile<kTileRows, kVecs, Store::kSet>(left + r * left_stride, left_stride, 1, right, right_stride, depth,
                                        out + r * out_stride, out_stride);
  }
  for (; r < rows; ++r) {
    Tile<1, kVecs, Store::kSet>(left + r * left_stride, left_stride, 1, right, right_stride, depth,
                                out + r * out_stride, out_stride);
  }
}

// kRows rows of `matrix` from row `r`, from the vector with their first diagonal to `width`, +-= panel^T panel.
template <size_t kRows, Store kMode>
HWY_INLINE void UpperRows(const float* panel, size_t depth, size_t width, size_t r, float* matrix, size_t stride) {
  size_t c = r / kLanes * kLanes;
  float* out = matrix + r * stride;
  for (; c + kTileVecs * kLanes <= width; c += kTileVecs * kLanes) {
    Tile<kRows, kTileVecs, kMode>(panel + r, 1, width, panel + c, width, depth, out + c, stride);
  }
  if constexpr (kTileVecs > 2) {
    if (c + 2 * kLanes <= width) {
      Tile<kRows, 2, kMode>(panel + r, 1, width, panel + c, width, depth, out + c, stride);
      c += 2 * kLanes;
    }
  }
  if (c < width) Tile<kRows, 1, kMode>(panel + r, 1, width, panel + c, width, depth, out + c, stride);
}

// Rows [first, size) of `matrix`, from their diagonal to `width` (the panel's row length), +-= panel^T panel. The last
// tile is never cut: a few accumulators would wait for each other longer than the rows it wastes take.
template <Store kMode>
HWY_INLINE void UpperProducts(const float* panel, size_t depth, size_t width, size_t first, size_t size, float* matrix,
                              size_t stride) {
  for (size_t r = first; r < size; r += kTileRows) {
    UpperRows<kTileRows, kMode>(panel, depth, width, r, matrix, stride);
  }
}

void AddPanelProductsKernel(const float* panel, size_t depth, size_t width, size_t size, float* matrix, size_t stride) {
  UpperProducts<Store::kAdd>(panel, depth, width, 0, size, matrix, stride);
}

constexpr size_t kBlock = 16;

// row[c...] -= sum over k <= count of factor k * above[k][c...], kVecs vectors wide; the last factor comes apart, in a
// register, because the next pivot waits for it.
template <size_t kVecs>
HWY_INLINE void SubtractRows(const float* HWY_RESTRICT above, const float* HWY_RESTRICT factors, size_t count,
                             float last, size_t stride, float* HWY_RESTRICT row) {
  const Tag d;
  Vec rest[kVecs];
  for (size_t v = 0; v < kVecs; ++v) rest[v] = hn::LoadU(d, row + v * kLanes);
  for (size_t k = 0; k < count; ++k) {
    const Vec factor = hn::Set(d, factors[k]);
    for (size_t v = 0; v < kVecs; ++v) {
      rest[v] = hn::NegMulAdd(factor, hn::LoadU(d, above + k * stride + v * kLanes), rest[v]);
    }
  }
  const Vec factor = hn::Set(d, last);
  for (size_t v = 0; v < kVecs; ++v) {
    rest[v] = hn::NegMulAdd(factor, hn::LoadU(d, above + count * stride + v * kLanes), rest[v]);
    hn::StoreU(rest[v], d, row + v * kLanes);
  }
}

// Eliminates row `i` against the rows [begin, i) of its block. `inverses` are those of their pivots; returns that of
// i's.
HWY_INLINE float EliminateRow(float* HWY_RESTRICT a, size_t begin, size_t i, size_t stride, float least_eigenvalue,
                              const float* HWY_RESTRICT inverses) {
  const float* first_row = a + begin * stride;
  float* row = a + i * stride;
  if (i > begin) {
    float factors[kBlock];
    const size_t count = i - begin - 1;
    for (size_t k = 0; k < count; ++k) factors[k] = first_row[k * stride + i] * inverses[k];
    const float last = first_row[count * stride + i] * inverses[count];
    size_t c = i / kLanes * kLanes;
    for (; c + 4 * kLanes <= stride; c += 4 * kLanes)
      SubtractRows<4>(first_row + c, factors, count, last, stride, row + c);
    if (c + 2 * kLanes <= stride) {
      SubtractRows<2>(first_row + c, factors, count, last, stride, row + c);
      c += 2 * kLanes;
    }
    if (c < stride) SubtractRows<1>(first_row + c, factors, count, last, stride, row + c);
  }
  return 1.0f / (row[i] >= least_eigenvalue ? row[i] : least_eigenvalue);
}

// rest[j - begin] = row j's right side less what is known of x, from `end` on.
HWY_INLINE void SubtractKnown(const float* HWY_RESTRICT a, size_t begin, size_t end, size_t size, size_t stride,
                              const float* HWY_RESTRICT x, float* HWY_RESTRICT rest) {
  const Tag d;
  for (size_t j = begin; j < end; ++j) {
    const float* row = a + j * stride;
    auto sum = hn::Zero(d);
    size_t c = end;
    for (; c + kLanes <= size; c += kLanes) sum = hn::MulAdd(hn::LoadU(d, row + c), hn::LoadU(d, x + c), sum);
    float known = hn::GetLane(hn::SumOfLanes(d, sum));
    for (; c < size; ++c) known += row[c] * x[c];
    rest[j - begin] = row[size] - known;
  }
}

// Several systems side by side: each waits for one pivot after the other, and while one waits another computes. A
// division, never a root, stands between two pivots.
void SolvePositiveDefiniteKernel(float* HWY_RESTRICT matrices, size_t systems, size_t size, size_t stride,
                                 float least_eigenvalue, float* HWY_RESTRICT solutions) {
  const Tag d;
  const size_t matrix_floats = MatrixFloats(size, stride);
  // Upper Cholesky factors U, A = U^T U, in place; column `size` turns from b to U^-T b on the way.
  for (size_t begin = 0; begin < size; begin += kBlock) {
    const size_t end = std::min(size, begin + kBlock);
    float inverses[kMaxSystems][kBlock];
    for (size_t i = begin; i < end; ++i) {
      for (size_t s = 0; s < systems; ++s) {
        inverses[s][i - begin] =
            EliminateRow(matrices + s * matrix_floats, begin, i, stride, least_eigenvalue, inverses[s]);
      }
    }
    for (size_t s = 0; s < systems; ++s) {
      float* a = matrices + s * matrix_floats;
      for (size_t j = begin; j < end; ++j) {
        // The solution's place holds the inverse diagonal until the solution is known.
        const float inverse_root = solutions[s * size + j] = std::sqrt(inverses[s][j - begin]);
        const auto scale = hn::Set(d, inverse_root);
        float* row = a + j * stride;
        for (size_t c = j / kLanes * kLanes; c < stride; c += kLanes) {
          hn::StoreU(hn::Mul(scale, hn::LoadU(d, row + c)), d, row + c);
        }
      }
      if (end < size) UpperProducts<Store::kSubtract>(a + begin * stride, end - begin, stride, end, size, a, stride);
    }
  }
  // Back substitution by blocks: what is known is subtracted by vectors, the block itself by columns, so that no vector
  // load waits for a scalar just stored.
  for (size_t end = size; end > 0;) {
    const size_t begin = (end - 1) / kBlock * kBlock;
    float rest[kMaxSystems][kBlock];
    for (size_t s = 0; s < systems; ++s) {
      SubtractKnown(matrices + s * matrix_floats, begin, end, size, stride, solutions + s * size, rest[s]);
    }
    for (size_t j = end; j-- > begin;) {
      for (size_t s = 0; s < systems; ++s) {
        const float* a = matrices + s * matrix_floats;
        const float value = solutions[s * size + j] *= rest[s][j - begin];
        for (size_t i = begin; i < j; ++i) rest[s][i - begin] -= a[i * stride + j] * value;
      }
    }
    end = begin;
  }
}

#if HWY_TARGET != HWY_SCALAR
// The four floats at each of rows[0], rows[4], ... as the 128-bit blocks of one vector.
template <class D>
HWY_INLINE hn::Vec<D> LoadEveryFourth(D d, const float* const* rows, size_t c) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return hn::LoadU(d, rows[0] + c);
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, LoadEveryFourth(half, rows + hn::MaxLanes(half), c), LoadEveryFourth(half, rows, c));
  }
}

// Stores columns [0, dim rounded down to 4) of kLanes scaled rows as vectors; returns how many columns.
HWY_INLINE size_t StoreTransposed(const float* const* rows, const float* scales, const float* column_scale, size_t dim,
                                  size_t stride, float* HWY_RESTRICT out) {
  const Tag d;
  const hn::RepartitionToWide<Tag> wide;
  // Block b of v_r holds row 4 b + r, so that a transposition within the blocks puts the rows in order.
  HWY_ALIGN float in_blocks[4][kLanes];
  for (size_t r = 0; r < kLanes; ++r) std::fill_n(in_blocks[r % 4] + r / 4 * 4, 4, scales[r]);
  const Vec scale0 = hn::Load(d, in_blocks[0]), scale1 = hn::Load(d, in_blocks[1]);
  const Vec scale2 = hn::Load(d, in_blocks[2]), scale3 = hn::Load(d, in_blocks[3]);
  size_t c = 0;
  for (; c + 4 <= dim; c += 4) {
    const Vec column = hn::LoadDup128(d, column_scale + c);
    const Vec v0 = hn::Mul(LoadEveryFourth(d, rows, c), hn::Mul(column, scale0));
    const Vec v1 = hn::Mul(LoadEveryFourth(d, rows + 1, c), hn::Mul(column, scale1));
    const Vec v2 = hn::Mul(LoadEveryFourth(d, rows + 2, c), hn::Mul(column, scale2));
    const Vec v3 = hn::Mul(LoadEveryFourth(d, rows + 3, c), hn::Mul(column, scale3));
    const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, v0, v1));
    const auto high01 = hn::BitCast(wide, hn::InterleaveUpper(d, v0, v1));
    const auto low23 = hn::BitCast(wide, hn::InterleaveLower(d, v2, v3));
    const auto high23 = hn::BitCast(wide, hn::InterleaveUpper(d, v2, v3));
    float* to = out + c * stride;
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, low01, low23)), d, to);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23)), d, to + stride);
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, high01, high23)), d, to + 2 * stride);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23)), d, to + 3 * stride);
  }
  return c;
}
#endif

void GatherTransposedKernel(const float* const* rows, const float* row_scale, const float* column_scale,
                            size_t row_count, size_t dim, size_t stride, float* HWY_RESTRICT out) {
  for (size_t r = 0; r < stride; r += kLanes) {
    // Missing rows are another row times zero.
    const float* row[kLanes];
    float scale[kLanes];
    for (size_t i = 0; i < kLanes; ++i) {
      const bool present = r + i < row_count;
      row[i] = rows[present ? r + i : 0];
      scale[i] = present ? row_scale[r + i] : 0.0f;
    }
    size_t c = 0;
#if HWY_TARGET != HWY_SCALAR
    c = StoreTransposed(row, scale, column_scale, dim, stride, out + r);
#endif
    for (; c < dim; ++c) {
      for (size_t i = 0; i < kLanes; ++i) out[c * stride + r + i] = row[i][c] * column_scale[c] * scale[i];
    }
  }
}

void GatherRowsKernel(const float* const* rows, const float* row_scale, const float* column_scale,
                      const float* right_side, size_t row_count, size_t dim, size_t stride, float* HWY_RESTRICT out) {
  const Tag d;
  for (size_t r = 0; r < row_count; ++r) {
    const float* row = rows[r];
    float* to = out + r * stride;
    const auto scale = hn::Set(d, row_scale[r]);
    size_t c = 0;
    for (; c + kLanes <= dim; c += kLanes) {
      hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, row + c), hn::LoadU(d, column_scale + c)), scale), d, to + c);
    }
    for (; c < dim; ++c) to[c] = row[c] * column_scale[c] * row_scale[r];
    to[c++] = right_side[r];
    for (; c < stride; ++c) to[c] = 0;
  }
}

void WeightedSumKernel(const float* const* rows, const float* scale, size_t row_count, size_t dim,
                       float* HWY_RESTRICT out) {
  const Tag d;
  size_t c = 0;
  const auto strip = [&](auto vecs) HWY_ATTR {
    Vec sum[vecs()];
    for (size_t v = 0; v < vecs(); ++v) sum[v] = hn::Zero(d);
    for (size_t r = 0; r < row_count; ++r) {
      const auto s = hn::Set(d, scale[r]);
      for (size_t v = 0; v < vecs(); ++v) sum[v] = hn::MulAdd(s, hn::LoadU(d, rows[r] + c + v * kLanes), sum[v]);
    }
    for (size_t v = 0; v < vecs(); ++v) hn::StoreU(sum[v], d, out + c + v * kLanes);
    c += vecs() * kLanes;
  };
  while (c + 4 * kLanes <= dim) strip(std::integral_constant<size_t, 4>());
  while (c + kLanes <= dim) strip(std::integral_constant<size_t, 1>());
  for (; c < dim; ++c) {
    float sum = 0;
    for (size_t r = 0; r < row_count; ++r) sum += scale[r] * rows[r][c];
    out[c] = sum;
  }
}

void InverseSquareRootsKernel(const float* values, size_t size, float factor, float addend, float* HWY_RESTRICT out) {
  const Tag d;
  const auto f = hn::Set(d, factor), add = hn::Set(d, addend), one = hn::Set(d, 1.0f);
  size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    hn::StoreU(hn::Div(one, hn::Sqrt(hn::MulAdd(hn::LoadU(d, values + i), f, add))), d, out + i);
  }
  for (; i < size; ++i) out[i] = 1.0f / std::sqrt(values[i] * factor + addend);
}

void RowProductsKernel(const float* a, size_t a_rows, const float* b, size_t b_rows, size_t dim, float* c,
                       size_t c_stride) {
  constexpr size_t kWidth = kTileVecs * kLanes;
  // The strip of b, transposed, so that its rows are the multiply's vectors; then the last strip's result before it is
  // cut.
  std::vector<float> packed(dim * kWidth), cut;
  const std::vector<float> ones(std::max(dim, kWidth), 1.0f);
  const float* rows[kWidth];
  for (size_t column = 0; column < b_rows; column += kWidth) {
    const size_t width = std::min(kWidth, b_rows - column);
    for (size_t i = 0; i < width; ++i) rows[i] = b + (column + i) * dim;
    GatherTransposedKernel(rows, ones.data(), ones.data(), width, dim, kWidth, packed.data());
    if (width == kWidth) {
      Strip<kTileVecs>(a, dim, packed.data(), kWidth, dim, a_rows, c + column, c_stride);
    } else {
      cut.resize(a_rows * kWidth);
      Strip<kTileVecs>(a, dim, packed.data(), kWidth, dim, a_rows, cut.data(), kWidth);
      for (size_t r = 0; r < a_rows; ++r)
        std::memcpy(c + r * c_stride + column, cut.data() + r * kWidth, width * sizeof(float));
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace bowerbird::model
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bowerbird::model {

HWY_EXPORT(AddPanelProductsKernel);
HWY_EXPORT(SolvePositiveDefiniteKernel);
HWY_EXPORT(GatherTransposedKernel);
HWY_EXPORT(GatherRowsKernel);
HWY_EXPORT(WeightedSumKernel);
HWY_EXPORT(InverseSquareRootsKernel);
HWY_EXPORT(RowProductsKernel);

void AddPanelProducts(const float* panel, size_t depth, size_t width, size_t size, float* matrix, size_t stride) {
  HWY_DYNAMIC_DISPATCH(AddPanelProductsKernel)(panel, depth, width, size, matrix, stride);
}

void SolvePositiveDefinite(float* matrices, size_t systems, size_t size, size_t stride, float least_eigenvalue,
                           float* solutions) {
  BOWERBIRD_CHECK(systems <= kMaxSystems);
  HWY_DYNAMIC_DISPATCH(SolvePositiveDefiniteKernel)(matrices, systems, size, stride, least_eigenvalue, solutions);
}

void GatherTransposed(const float* const* rows, const float* row_scale, const float* column_scale, size_t row_count,
                      size_t dim, size_t stride, float* out) {
  HWY_DYNAMIC_DISPATCH(GatherTransposedKernel)(rows, row_scale, column_scale, row_count, dim, stride, out);
}

void GatherRows(const float* const* rows, const float* row_scale, const float* column_scale, const float* right_side,
                size_t row_count, size_t dim, size_t stride, float* out) {
  HWY_DYNAMIC_DISPATCH(GatherRowsKernel)(rows, row_scale, column_scale, right_side, row_count, dim, stride, out);
}

void WeightedSum(const float* const* rows, const float* scale, size_t row_count, size_t dim, float* out) {
  HWY_DYNAMIC_DISPATCH(WeightedSumKernel)(rows, scale, row_count, dim, out);
}

void InverseSquareRoots(std::span<const float> values, float factor, float addend, float* out) {
  HWY_DYNAMIC_DISPATCH(InverseSquareRootsKernel)(values.data(), values.size(), factor, addend, out);
}

void RowProducts(const float* a, size_t a_rows, const float* b, size_t b_rows, size_t dim, float* c, size_t c_stride) {
  HWY_DYNAMIC_DISPATCH(RowProductsKernel)(a, a_rows, b, b_rows, dim, c, c_stride);
}

}  // namespace bowerbird::model
#endif  // HWY_ONCE
