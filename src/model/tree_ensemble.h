#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::model {

/// A sum of oblivious decision trees: all nodes of a level ask the same question, so that a row's leaf is a number of
/// `depth` bits and a block of rows goes through a tree without a branch.
///
/// Data     tree t asks at level d whether x[features[t * depth + d]] > thresholds[t * depth + d]; bit d of the leaf is
///          the answer. A value that is not a number answers no.
/// Threads  immutable once made.
/// Same     comparisons and sums in a fixed order: the same bits on every machine.
/// Source   Dorogush et al. 2018 (CatBoost) for the trees' shape.
struct TreeEnsemble {
  static constexpr uint32_t kDepthMax = 8, kTreesMax = 4096, kFeaturesMax = 4096;

  std::vector<std::string> feature_names;  ///< of a row's columns; commas stand in parentheses only
  uint32_t depth = 0;
  float bias = 0;
  std::vector<uint32_t> features;  ///< {trees, depth}
  std::vector<float> thresholds;   ///< {trees, depth}
  std::vector<float> leaves;       ///< {trees, 2^depth}

  size_t trees() const { return depth == 0 ? 0 : features.size() / depth; }

  /// scores[i] = bias + the leaves of row i. `rows` is {scores.size(), width}, row-major; every feature is below
  /// `width`. Cost: about `depth` + 2 operations a tree and row, in blocks that the compiler turns into vectors.
  void Predict(std::span<const float> rows, size_t width, std::span<float> scores) const;

  /// As a safetensors file. InvalidArgument: the shapes do not fit each other.
  absl::StatusOr<std::string> Serialize() const;
  /// Any bytes may be given. DataLoss: not such a file, with what is wrong; a value that is not finite is told by
  /// Predict's result, not here.
  static absl::StatusOr<TreeEnsemble> Parse(std::string_view bytes);
};

}  // namespace bowerbird::model
