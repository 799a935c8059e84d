#include "experiment/stats/quantile.h"

#include <cmath>

#include "base/status_macros.h"
#include "experiment/stats/distributions.h"
#include "experiment/stats/input.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {
namespace {

/// Shares of the values, in [0, 1], that lie below the ends of the outer interval.
struct OuterShares {
  double low = 0, high = 0;
  double z = 0;  ///< how many standard errors the ends are away
};

absl::StatusOr<OuterShares> OuterSharesOf(const QuantileQuestion& question, double n) {
  RETURN_IF_ERROR(CheckInsideUnit("quantile", question.quantile));
  RETURN_IF_ERROR(CheckInsideUnit("alpha", question.alpha));
  if (n == 0) return absl::FailedPreconditionError("values: found none; expected some");
  const double independent = question.quantile * (1 - question.quantile) / n;
  const double variance = question.share_variance.value_or(independent);
  RETURN_IF_ERROR(CheckNotNegative("share_variance", variance));
  const double z = NormalQuantile(1 - question.alpha / 2);
  const double reach = z * std::sqrt(variance);
  const OuterShares shares{question.quantile - reach, question.quantile + reach, z};
  if (shares.low * n < 1 || shares.high * n > n - 1) {
    return absl::FailedPreconditionError(
        fmt::format("the interval of quantile {} goes from share {} to share {} of {} values; expected values on both "
                    "sides of it",
                    question.quantile, shares.low, shares.high, n));
  }
  return shares;
}

absl::StatusOr<Estimate> FromOuterInterval(double low, double value, double high, double z) {
  const double error = (high - low) / (2 * z);
  const Estimate estimate{value, error * error};
  RETURN_IF_ERROR(Check("quantile", estimate));
  return estimate;
}

absl::Status CheckBuckets(std::span<const HistogramBucket> buckets) {
  for (size_t i = 0; i < buckets.size(); ++i) {
    RETURN_IF_ERROR(CheckFinite(fmt::format("buckets[{}].low", i), buckets[i].low));
    RETURN_IF_ERROR(CheckFinite(fmt::format("buckets[{}].high", i), buckets[i].high));
    const double least = i == 0 ? buckets[0].low : buckets[i - 1].high;
    if (buckets[i].low < least || buckets[i].high < buckets[i].low) {
      return absl::InvalidArgumentError(
          fmt::format("buckets[{}] is ({}, {}]; expected one that starts at {} or above, and "
                      "does not end before it starts",
                      i, buckets[i].low, buckets[i].high, least));
    }
  }
  return absl::OkStatus();
}

/// The value that `share` of `n` values in buckets do not exceed.
double ValueAt(std::span<const HistogramBucket> buckets, double n, double share) {
  double left = share * n;
  for (const HistogramBucket& bucket : buckets) {
    const double count = static_cast<double>(bucket.count);
    if (count > 0 && left <= count) return bucket.low + (bucket.high - bucket.low) * (left / count);
    left -= count;
  }
  return buckets.back().high;
}

}  // namespace

absl::StatusOr<Estimate> QuantileOfSorted(std::span<const double> values, const QuantileQuestion& question) {
  const double n = static_cast<double>(values.size());
  ASSIGN_OR_RETURN(const OuterShares shares, OuterSharesOf(question, n));
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) && (i == 0 || values[i - 1] <= values[i])) continue;
    return absl::InvalidArgumentError(
        fmt::format("values[{}] is {}; expected finite values that ascend", i, values[i]));
  }
  // Ends between two values are taken outwards.
  const auto low = static_cast<size_t>(std::floor(shares.low * n)) - 1;
  const auto middle = static_cast<size_t>(std::ceil(question.quantile * n)) - 1;
  const auto high = static_cast<size_t>(std::floor(shares.high * n));
  return FromOuterInterval(values[low], values[middle], values[high], shares.z);
}

absl::StatusOr<Estimate> QuantileOfHistogram(std::span<const HistogramBucket> buckets,
                                             const QuantileQuestion& question) {
  RETURN_IF_ERROR(CheckBuckets(buckets));
  double n = 0;
  for (const HistogramBucket& bucket : buckets) n += static_cast<double>(bucket.count);
  ASSIGN_OR_RETURN(const OuterShares shares, OuterSharesOf(question, n));
  return FromOuterInterval(ValueAt(buckets, n, shares.low), ValueAt(buckets, n, question.quantile),
                           ValueAt(buckets, n, shares.high), shares.z);
}

}  // namespace bowerbird::experiment::stats
