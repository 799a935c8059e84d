#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::model {

/// The column of an attribute's value among `column_count` hashed columns; training and serving both use this one.
/// column_count > 0. Two values may share a column: with a few times more columns than values that costs little.
uint32_t AttributeColumn(std::string_view attribute, std::string_view value, uint32_t column_count);

/// Rows of features: sparse columns in CSR form beside optional dense columns (a given embedding).
/// offsets: row_count + 1 ascending, from 0; columns (and values, empty meaning all 1) are those of row r in
/// [offsets[r], offsets[r + 1]), each below column_count; dense is {row_count, dense_dim}.
struct FeatureRows {
  uint32_t column_count = 0;
  uint32_t dense_dim = 0;
  std::span<const uint64_t> offsets;
  std::span<const uint32_t> columns;
  std::span<const float> values;
  std::span<const float> dense;
  size_t row_count() const { return offsets.empty() ? 0 : offsets.size() - 1; }
};

/// Linear map from an item's features to its factor, so that an item without events can be ranked: ridge regression,
/// minimum over B of sum over items of weight |B^T f - factor|^2 + lambda |B|^2, with an intercept that is not
/// penalized.
///
/// Data     weights() is row-major {1 + column_count + dense_dim, factor_dim}: intercept, sparse columns, dense
/// columns. Store it
///          with the two counts and give it to FromWeights.
/// Threads  immutable once built.
/// Source   normal equations by preconditioned conjugate gradients, all factor columns at once, so that ten thousands
/// of
///          columns need no matrix of their squares. Sums are in a fixed order: any thread count gives the same bits.
class AttributeRegression {
 public:
  struct TrainOptions {
    float lambda = 10.0f;  // > 0; does well where item weights are event counts up to 50
    uint32_t max_iterations = 100;
    double tolerance = 1e-4;  // stop at this residual, relative to the right side's
    uint32_t threads = 0;     // 0: all
  };

  /// `factors` is {row_count, factor_dim}; `item_weights` (>= 0, empty meaning all 1) says how far each factor is
  /// trusted, for instance the item's event count up to a cap. InvalidArgument: a shape or offset does not fit, a
  /// column is out of range, a value is not finite, lambda is not > 0, no item has weight.
  static absl::StatusOr<AttributeRegression> Train(const FeatureRows& features, std::span<const float> factors,
                                                   uint32_t factor_dim, std::span<const float> item_weights,
                                                   const TrainOptions& options);

  /// InvalidArgument: weights.size() != (1 + column_count + dense_dim) * factor_dim, or a weight is not finite.
  static absl::StatusOr<AttributeRegression> FromWeights(uint32_t column_count, uint32_t dense_dim, uint32_t factor_dim,
                                                         std::vector<float> weights);

  /// The factor of one item: `values` empty means all 1; columns out of range are left out; `dense` is empty (no
  /// embedding given) or has dense_dim() floats; `factor` has factor_dim() floats.
  void Predict(std::span<const uint32_t> columns, std::span<const float> values, std::span<const float> dense,
               std::span<float> factor) const;

  uint32_t column_count() const { return column_count_; }
  uint32_t dense_dim() const { return dense_dim_; }
  uint32_t factor_dim() const { return factor_dim_; }
  std::span<const float> weights() const { return weights_; }

 private:
  AttributeRegression() = default;

  uint32_t column_count_ = 0;
  uint32_t dense_dim_ = 0;
  uint32_t factor_dim_ = 0;
  std::vector<float> weights_;
};

}  // namespace bowerbird::model
