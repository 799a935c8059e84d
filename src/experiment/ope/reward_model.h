#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "experiment/ope/estimate.h"
#include "experiment/ope/slate.h"

namespace bowerbird::experiment::ope {

struct ItemShare {
  uint64_t item = 0;
  double probability = 0;
};

/// What the target would show at the slate's `place`-th logged position, given the items above it; sums to 1. The span
/// holds until the next call.
using TargetShares = absl::FunctionRef<std::span<const ItemShare>(const LoggedSlate& slate, size_t place)>;

/// What is earned from a position on by showing an item there: the mean over logged pages, by item and position, drawn
/// towards the position's own mean. Rough, and no less useful for that: kCascadeDr is unbiased with any model, and even
/// a constant takes the spread of the weights off the part of the reward that it predicts.
///
/// Threads  immutable once fit.
class MeanRewardModel {
 public:
  /// A mean of this many rows counts as much as the position's. Clicks come one in a hundred and differ between items
  /// by about as much as they amount to, so that some hundred rows are needed before an item's own mean says more.
  static constexpr double kPriorRows = 100;

  /// From the slates of which `included` (their index) is true. None of them: 0 everywhere.
  static MeanRewardModel Fit(std::span<const LoggedSlate> slates, absl::FunctionRef<bool(size_t slate)> included,
                             double prior_rows = kPriorRows);

  double Predict(uint32_t position, uint64_t item) const;

 private:
  struct Mean {
    double sum = 0, rows = 0;
  };
  double prior_rows_ = kPriorRows;
  std::vector<Mean> by_position_;
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, Mean> by_item_;
};

/// A MeanRewardModel's word on every slate, fit in two folds (slates with an even index and those with an odd one):
/// each slate is read by the model of the other fold, so that no reward is predicted from itself.
///
/// Errors  InvalidArgument: a position is not below kPositionsMax, a reward is beyond kMagnitudeMax, or the shares of a
///         position do not sum to 1.
absl::StatusOr<std::vector<ModelledSlate>> CrossFit(std::span<const LoggedSlate> slates, TargetShares target,
                                                    double prior_rows = MeanRewardModel::kPriorRows);

}  // namespace bowerbird::experiment::ope
