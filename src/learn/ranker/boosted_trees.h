#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/tree_ensemble.h"

namespace bowerbird::learn::ranker {

/// Examples: what was shown and seen, and what came of it.
struct Examples {
  std::vector<std::string> feature_names;
  std::vector<float> features;  ///< {size, names}, row-major; NaN where a value is not known
  std::vector<float> targets;   ///< {size}, in [0, 1]
  std::vector<float> weights;   ///< {size}, > 0

  size_t size() const { return targets.size(); }
  size_t width() const { return feature_names.size(); }
};

struct BoostOptions {
  uint32_t trees_max = 160;
  uint32_t depth = 5;
  float rate = 0.1f;           ///< of each tree's leaves
  float ridge = 20;            ///< added to the curvature of a leaf: small leaves say little
  uint32_t patience = 20;      ///< ends after so many trees that do not help the validation
  uint64_t seed = 1;           ///< of the examples that each tree sees
  float sample = 0.5f;         ///< share of them
  std::function<bool()> stop;  ///< asked after each tree; may be empty
};

struct BoostReport {
  uint32_t trees = 0;
  double train_loss = 0, validation_loss = 0;  ///< mean log loss
  double base_loss = 0;                        ///< of the validation by the mean of the training alone
};

/// Gradient boosting of the log loss with oblivious trees over binned features.
///
/// Same     the same examples and options give the same bits.
/// Cost     examples * features * depth additions a tree.
/// Errors   InvalidArgument: the shapes do not fit, no training example, or a target that is no share; Unavailable:
///          stopped.
/// Source   Friedman 2001; histogram splits as in LightGBM (Ke et al. 2017), symmetric trees as in CatBoost (Dorogush
/// et
///          al. 2018), Newton leaves.
absl::StatusOr<model::TreeEnsemble> Boost(const Examples& train, const Examples& validation,
                                          const BoostOptions& options, BoostReport* report);

/// Mean log loss, weighted; 0 without examples.
double LogLoss(std::span<const float> sums, const Examples& examples);

}  // namespace bowerbird::learn::ranker
