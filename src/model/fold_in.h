#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "model/ials_objective.h"

namespace bowerbird::model {

/// Sum of y y^T over the rows y of `factors` (row-major {count, dim}), {dim, dim}; summed in double in a fixed order.
std::vector<float> Gramian(std::span<const float> factors, uint32_t dim);

/// Solves a user's factor from the items they acted on, at request time, against fixed item factors: the minimum over x
/// of the training objective (ials_objective.h), so folding in a user of the training set gives the trained factor.
///
/// Threads  immutable once created; const methods may run on any thread at once, each with its own Scratch.
/// Cost     items * dim^2 / 2 + dim^3 / 6 multiply-adds; measured by fold_in_bench. Memory only when a Scratch first
/// grows. Same     the same inputs give the same bits on machines with the same instruction set.
class FoldIn {
 public:
  /// Working memory of Solve, reused from call to call; one a thread.
  struct Scratch {
    std::vector<float> panel, matrix;
  };

  /// Largest `dim` accepted.
  static constexpr uint32_t kMaxDim = 4096;

  /// `gramian` is that of all `item_count` items, {dim, dim}; copied.
  /// InvalidArgument: dim is 0 or above kMaxDim, the shape does not fit, a value is not finite, regularization is not >
  /// 0, unobserved_weight is negative.
  static absl::StatusOr<FoldIn> Create(const IalsObjective& objective, uint64_t item_count, uint32_t dim,
                                       std::span<const float> gramian);

  uint32_t dim() const { return dim_; }

  /// `read_row` copies the factor of the position-th item (dim floats) to `row`. `weights` are one an item; an entry
  /// that is not above 0 is as if absent, and an item that comes twice counts with the sum. Without entries the answer
  /// is zero. `factor` has dim() floats.
  using ReadRow = absl::FunctionRef<void(size_t position, float* row)>;
  void Solve(std::span<const float> weights, ReadRow read_row, Scratch& scratch, std::span<float> factor) const;

  /// The same over a matrix {item_count, dim} of float32 or bfloat16 rows; `items` (ordinals in it) has the size of
  /// `weights`.
  void Solve(std::span<const float> factors, std::span<const uint32_t> items, std::span<const float> weights,
             Scratch& scratch, std::span<float> factor) const;
  void Solve(std::span<const uint16_t> factors_bf16, std::span<const uint32_t> items, std::span<const float> weights,
             Scratch& scratch, std::span<float> factor) const;

 private:
  FoldIn() = default;

  IalsObjective objective_;
  uint64_t item_count_ = 0;
  uint32_t dim_ = 0;
  size_t stride_ = 0;        // row length of base_ and of the system: dim and the right side, padded
  std::vector<float> base_;  // {dim, stride_}: unobserved_weight * gramian, upper triangle
};

}  // namespace bowerbird::model
