#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bowerbird::model {

/// Float32 kernels for small dense systems and for scoring, dispatched at run time to the widest instruction set
/// (Highway).
///
/// Data     row-major with a row length (`stride`) that is a multiple of kPad where a kernel says "padded"; what lies
/// between a row's
///          contents and its stride is read and written, so it must be finite and belongs to the kernel. A matrix that
///          is updated has MatrixFloats(size, stride) floats: its rows rounded up, the last ones garbage.
/// Same     the same inputs give the same bits on machines with the same instruction set.
/// Measured dense_kernels_bench, beside the machine's peak.

inline constexpr size_t kPad = 16;
constexpr size_t Padded(size_t n) { return (n + kPad - 1) / kPad * kPad; }
constexpr size_t MatrixFloats(size_t size, size_t stride) { return Padded(size) * stride; }

/// matrix += panel^T panel, upper triangle: `panel` is {depth, width}, `matrix` {size, stride}, size <= width <=
/// stride; row i gets its columns from i (or a little below, garbage) up to `width`. Padded. Columns from `size` on are
/// right sides carried along.
void AddPanelProducts(const float* panel, size_t depth, size_t width, size_t size, float* matrix, size_t stride);

/// Solves A x = b for up to kMaxSystems systems of one size at once, which hides the time that each waits for its
/// pivots. Each of `matrices` (one after the other, MatrixFloats(size, stride) floats each) holds A's upper triangle in
/// its columns below `size` and b in column `size` (so stride > size; padded); it is overwritten. A is symmetric with
/// no eigenvalue below `least_eigenvalue` > 0: a pivot that rounding takes below it (or to not-a-number) is raised to
/// it. `solutions` is {systems, size}.
inline constexpr size_t kMaxSystems = 4;
void SolvePositiveDefinite(float* matrices, size_t systems, size_t size, size_t stride, float least_eigenvalue,
                           float* solutions);

/// out[c][r] = rows[r][c] * row_scale[r] * column_scale[c]: gathers `row_count` rows of `dim` floats as the columns of
/// a matrix {dim, stride}, zeros up to the stride. Padded.
void GatherTransposed(const float* const* rows, const float* row_scale, const float* column_scale, size_t row_count,
                      size_t dim, size_t stride, float* out);

/// out[r][c] = rows[r][c] * row_scale[r] * column_scale[c], with right_side[r] in column `dim` and zeros up to the
/// stride.
void GatherRows(const float* const* rows, const float* row_scale, const float* column_scale, const float* right_side,
                size_t row_count, size_t dim, size_t stride, float* out);

/// out = sum over r of scale[r] * rows[r], `dim` floats.
void WeightedSum(const float* const* rows, const float* scale, size_t row_count, size_t dim, float* out);

/// out[i] = 1 / sqrt(values[i] * factor + addend).
void InverseSquareRoots(std::span<const float> values, float factor, float addend, float* out);

/// c[i][j] = dot(a row i, b row j): `a` is {a_rows, dim}, `b` is {b_rows, dim}, `c` is {a_rows, c_stride}, c_stride >=
/// b_rows; only b_rows columns are written. No padding asked for. Fast for a_rows of 64 and more.
void RowProducts(const float* a, size_t a_rows, const float* b, size_t b_rows, size_t dim, float* c, size_t c_stride);

}  // namespace bowerbird::model
