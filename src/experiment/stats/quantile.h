#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "experiment/stats/estimate.h"

namespace bowerbird::experiment::stats {

/// Which quantile, and how much its share varies.
struct QuantileQuestion {
  double quantile = 0.5;  ///< in (0, 1): the median
  double alpha = 0.05;    ///< in (0, 1): of the outer interval
  /// Variance of the share of values below the quantile. Without it values are independent: quantile (1 - quantile) /
  /// n. Where a unit has several values (a user's latencies) it is RatioOf's variance with y the unit's values below
  /// the quantile, and x its values.
  std::optional<double> share_variance;
};

/// Values in (low, high], count of them; spread evenly between.
struct HistogramBucket {
  double low = 0, high = 0;
  uint64_t count = 0;
};

/// A quantile of an arm, its variance by the outer interval: the share below the quantile has a normal distribution, so
/// the values at share -+ z standard errors enclose the quantile, and a z-th of half that distance is its standard
/// error. No density is estimated. DifferenceOf and TestAgainstZero compare two of them.
///
/// Data     ascending values; or buckets that ascend and do not overlap (a histogram, or a sketch's CDF as counts),
/// whose
///          widths bound the error that they add.
/// Cost     constant; of a histogram its buckets.
/// Source   Deng, Knoblich, Lu 2018, "Applying the Delta Method in Metric Analytics", section 4.3.
/// Errors   InvalidArgument: quantile or alpha is outside of (0, 1), share_variance is negative or not finite, values
/// or
///          buckets do not ascend or are not finite. FailedPrecondition: too few values for the interval to end inside
///          of them (of a 99th percentile about 400).
absl::StatusOr<Estimate> QuantileOfSorted(std::span<const double> values, const QuantileQuestion& question);
absl::StatusOr<Estimate> QuantileOfHistogram(std::span<const HistogramBucket> buckets,
                                             const QuantileQuestion& question);

}  // namespace bowerbird::experiment::stats
