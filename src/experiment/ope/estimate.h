#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "experiment/ope/interval.h"
#include "experiment/ope/slate.h"
#include "experiment/ope/support.h"

namespace bowerbird::experiment::ope {

/// How a log of one policy is read as if another had answered. With r the rewards, w the weights of weights.h:
///
///   kIps        mean over requests of  sum_k w_k r_k, marginal weights
///   kSnips      the same with each position divided by its mean weight: less spread, biased by O(1 / rows)
///   kRips       mean of  sum_k w_1:k r_k, prefix weights
///   kCascadeDr  mean of  sum_k w_1:k (r_k - Q_k(shown)) + w_1:k-1 E_target[Q_k], for any model Q of what the positions
///               from k on will earn: unbiased as kRips is whatever Q says, with less spread the better Q is
///
/// Source  IPS by position: Li et al. 2018 (item-position click model). SNIPS: Swaminathan and Joachims 2015. RIPS:
///         McInerney et al. 2020, of which we leave out the normalization by prefix, so that it is unbiased. Cascade
///         DR: Kiyohara et al. 2022.
enum class Estimator : uint8_t { kIps, kSnips, kRips, kCascadeDr };

/// "ips", "snips", "rips", "cascade_dr".
std::string_view NameOf(Estimator estimator);

/// Of the weights that it reads.
PropensityKind KindOf(Estimator estimator);

/// What a model says of one logged position.
struct ModelledPosition {
  double shown = 0;     ///< Q_k of the item that was shown, given those above
  double expected = 0;  ///< mean of Q_k over what the target would show there, given those above
};
using ModelledSlate = std::vector<ModelledPosition>;

struct EstimateOptions {
  Estimator estimator = Estimator::kIps;
  /// Weights above it are cut to it: less spread, for a bias that the interval does not know; said in the result.
  std::optional<double> weight_max;
  uint32_t resamples = 2000;  ///< of the bootstrap
  uint64_t seed = 1;
};

struct Estimate {
  Estimator estimator = Estimator::kIps;
  std::string_view assumption;    ///< what must hold of rewards for `value` to mean the target's
  double value = 0;               ///< reward a request
  double standard_error = 0;      ///< from influence values
  Interval normal, bootstrap;     ///< `bootstrap` is the one to go by (interval.h)
  std::vector<double> resampled;  ///< values under the bootstrap, for differences
  std::optional<double> weight_max;
  Diagnostics diagnostics;
  std::string refused;  ///< why the value and its intervals are no verdict; empty if they are
};

/// `modelled` has one entry a slate, with one a position; it is read by kCascadeDr alone.
///
/// Same    the same input gives the same bits.
/// Errors  InvalidArgument: as CheckSlates; `weight_max` is not above 0; no resamples; a model that does not fit the
///         slates or is beyond kMagnitudeMax.
absl::StatusOr<Estimate> EstimateValue(std::span<const LoggedSlate> slates, std::span<const ModelledSlate> modelled,
                                       const EstimateOptions& options);

}  // namespace bowerbird::experiment::ope
