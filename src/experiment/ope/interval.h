#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bowerbird::experiment::ope {

/// Of every interval here.
inline constexpr double kConfidence = 0.95;

struct Interval {
  double low = 0, high = 0;
};

/// What requests contribute to a value of the form  sum over groups of (rows of the group / requests) * (sum of its
/// numerators / sum of its denominators): with one group and denominators of 1, a mean; with a group a position and
/// weights as denominators, self-normalized positions. A group without denominators is worth 0.
///
/// Data  request r has terms[offsets[r], offsets[r + 1]).
struct Contributions {
  struct Term {
    uint32_t group = 0;
    double numerator = 0, denominator = 1;
  };
  std::vector<size_t> offsets = {0};
  std::vector<Term> terms;

  size_t requests() const { return offsets.size() - 1; }
  void EndRequest() { offsets.push_back(terms.size()); }
};

double ValueOf(const Contributions& contributions);

/// One value a request whose mean is the value and whose spread is that of the value to first order (delta method).
std::vector<double> InfluenceValues(const Contributions& contributions);

/// Of the mean of independent values; 0 for fewer than two.
double StandardError(std::span<const double> values);

Interval NormalInterval(double value, double standard_error);

/// The value under `resamples` draws of as many requests with replacement: requests are the unit, for the positions of
/// one depend on each other.
///
/// Cost    O(resamples * terms). Same: a seed gives the same values everywhere.
/// Source  Efron 1979; we take percentiles (PercentileInterval), which keep the skew that rare rewards have. A handful
/// of
///         effective rows breaks it as it breaks the normal interval: support.h refuses those first.
std::vector<double> Resample(const Contributions& contributions, uint32_t resamples, uint64_t seed);

/// The middle kConfidence of `values`, interpolated; not empty.
Interval PercentileInterval(std::vector<double> values);

}  // namespace bowerbird::experiment::ope
