#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "absl/status/status.h"

namespace bowerbird::experiment::stats {

/// Sufficient statistics of an arm. One value a randomized unit (a user, as a rule), added as it comes; parts that were
/// made elsewhere are merged.
///
/// Units    those of the values; m2 in their square.
/// Exact    counts. Means and sums of squares are numerically stable in any order and grouping, equal up to rounding.
/// Source   Welford 1962 for one value; Chan, Golub, LeVeque 1979 for a merge.

/// Count, mean, and the sum of squared distances to the mean.
struct Moments {
  uint64_t count = 0;
  double mean = 0;
  double m2 = 0;

  static Moments Of(std::span<const double> values);
  void Add(double value);
  void Merge(const Moments& other);
  /// Of one unit, by count - 1; 0 below two units.
  double variance() const;

  bool operator==(const Moments&) const = default;
};

/// Two values a unit: y and x. For a ratio metric y is the numerator and x the denominator (clicks, views); for CUPED y
/// is the metric and x the covariate from before the experiment.
struct BivariateMoments {
  uint64_t count = 0;
  double mean_y = 0, mean_x = 0;
  double m2_y = 0, m2_x = 0;
  double comoment = 0;  ///< sum of (y - mean_y) (x - mean_x)

  /// The shorter of both decides how many units there are.
  static BivariateMoments Of(std::span<const double> y, std::span<const double> x);
  void Add(double y, double x);
  void Merge(const BivariateMoments& other);
  Moments y() const { return {count, mean_y, m2_y}; }
  Moments x() const { return {count, mean_x, m2_x}; }
  /// Of one unit, by count - 1; 0 below two units.
  double covariance() const;

  bool operator==(const BivariateMoments&) const = default;
};

/// Units that did something, out of those that could.
struct Proportion {
  uint64_t successes = 0;
  uint64_t trials = 0;

  void Merge(const Proportion& other);
  double rate() const;  ///< 0 without trials

  bool operator==(const Proportion&) const = default;
};

/// InvalidArgument: a value is not finite, a sum of squares is negative, successes are more than trials, or the
/// comoment is more than the sums of squares allow. FailedPrecondition: too few units (two for moments, one for a
/// proportion): the answer comes with more data. `name` goes before the field's.
absl::Status Check(std::string_view name, const Moments& moments);
absl::Status Check(std::string_view name, const BivariateMoments& moments);
absl::Status Check(std::string_view name, const Proportion& proportion);

}  // namespace bowerbird::experiment::stats
