#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::learn::cf {

/// One side of a sparse matrix: row r has columns[k] with weights[k] for k in [offsets[r], offsets[r + 1]), columns
/// ascending.
struct SparseRows {
  std::vector<uint64_t> offsets;
  std::vector<uint32_t> columns;
  std::vector<float> weights;

  uint32_t row_count() const { return static_cast<uint32_t>(offsets.size() - 1); }
  uint64_t size(uint32_t row) const { return offsets[row + 1] - offsets[row]; }
  std::span<const uint32_t> columns_of(uint32_t row) const {
    return std::span(columns).subspan(offsets[row], offsets[row + 1] - offsets[row]);
  }
  std::span<const float> weights_of(uint32_t row) const {
    return std::span(weights).subspan(offsets[row], offsets[row + 1] - offsets[row]);
  }
};

/// Who acted on what, how strongly: a user x item matrix in both orientations.
///
/// Data  users and items are dense numbers; a pair that comes several times has its weights added.
struct Interactions {
  /// Beyond this float32 solves would lose the other actions of a row.
  static constexpr float kMaxWeight = 1e9f;

  SparseRows by_user;
  SparseRows by_item;

  /// The three arrays are parallel; `weights` empty means all 1.
  /// InvalidArgument, naming the entry: sizes differ, a user or item is not below its count, a weight is not finite or
  /// not > 0.
  static absl::StatusOr<Interactions> Build(uint32_t user_count, uint32_t item_count, std::span<const uint32_t> users,
                                            std::span<const uint32_t> items, std::span<const float> weights);

  uint32_t user_count() const { return by_user.row_count(); }
  uint32_t item_count() const { return by_item.row_count(); }
  uint64_t pair_count() const { return by_user.columns.size(); }
};

}  // namespace bowerbird::learn::cf
