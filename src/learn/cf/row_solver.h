#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/dense_kernels.h"

namespace bowerbird::learn::cf {

/// Solves rows of alternating least squares in axes where the other side's Gramian is diagonal: for each the minimum
/// over x of
///
///   sum over k of weights[k] (1 - <x, factors[columns[k]]>)^2 + sum over c of (unobserved_weight * gramian[c] + ridge)
///   x_c^2
///
/// Substituting z_c = x_c sqrt(unobserved_weight * gramian[c] + ridge) and p_k = the factor row, scaled by the inverse
/// of those roots and by sqrt(weights[k]), it becomes a plain ridge problem |z|^2 + |P z - sqrt(w)|^2, solved by its
/// smaller side:
///
///   dual    (I + P P^T) a = sqrt(w), z = P^T a     when there are fewer interactions than factors
///   primal  (I + P^T P) z = P^T sqrt(w)            otherwise
///   block   the primal on one block of factors after the other, the rest fixed
///
/// All of these systems have no eigenvalue below 1, so float32 suffices.
///
/// Threads  one a thread; holds the working memory.
class RowSolver {
 public:
  struct Side {
    uint32_t dim;
    std::span<const float> factors;  // {count, dim}
    std::span<const float> gramian;  // {dim}: the diagonal of factors^T factors
    float unobserved_weight;
  };
  struct Row {
    std::span<const uint32_t> columns;
    std::span<const float> weights;
    float ridge;
    std::span<float> x;  // {dim}: the answer, and for ImproveByBlocks the start
  };
  /// Rows of equal length that are solved together; one of them where that does not pay.
  static constexpr size_t kMaxTogether = model::kMaxSystems;
  static size_t Together(uint64_t columns, uint32_t dim) { return columns < dim && columns <= 64 ? kMaxTogether : 1; }

  /// `side` holds for all calls; its memory outlives the solver.
  explicit RowSolver(const Side& side);

  /// Names the rows that are solved next but one, so that their factors are fetched while these are solved.
  void Announce(std::span<const Row> rows) {
    announced_ = rows;
    fetched_rows_ = 0;
  }

  /// Each x = the minimum. `rows` have equally many columns, at most Together(columns) rows. No columns: zero.
  void SolveExact(std::span<const Row> rows);

  /// One pass over blocks of `block_size` factors, from the given x. A row with fewer interactions than factors is
  /// solved exactly.
  void ImproveByBlocks(const Row& row, uint32_t block_size);

 private:
  // What the substitution makes of a row.
  struct Scaled {
    std::vector<const float*> rows;    // the factors of the interactions
    std::vector<float> row_scales;     // sqrt(weight)
    std::vector<float> column_scales;  // 1 / sqrt(unobserved_weight * gramian + ridge)
  };

  void Prepare(const Row& row, Scaled& scaled) const;
  void SolveDual(std::span<const Row> rows);
  void SolvePrimal(const Row& row);
  void ImproveBlock(uint32_t first, uint32_t size, std::span<float> x);
  // Adds p^T p of all interactions, in `size` factors from `first`, with the right sides given, to the first matrix.
  void AccumulateBlock(uint32_t first, uint32_t size, const float* right_sides);
  // Identity matrices for `systems` systems.
  void ResetMatrices(size_t systems, size_t size, size_t stride);
  void FetchAnnouncedRow();

  const Side side_;
  std::span<const Row> announced_;
  size_t fetched_rows_ = 0;
  Scaled scaled_[kMaxTogether];
  std::vector<float> residuals_;  // sqrt(weight) * (1 - <x, row>)
  std::vector<float> panel_, matrices_, solutions_;
  std::vector<const float*> block_rows_;
};

}  // namespace bowerbird::learn::cf
