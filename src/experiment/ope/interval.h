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
  std::vector<uint64_t> clusters;  ///< LoggedSlate::cluster, one a request; empty: each is of none

  size_t requests() const { return offsets.size() - 1; }
  void EndRequest(uint64_t cluster = 0) {
    offsets.push_back(terms.size());
    clusters.push_back(cluster);
  }
};

double ValueOf(const Contributions& contributions);

/// One value a request whose mean is the value and whose spread is that of the value to first order (delta method).
std::vector<double> InfluenceValues(const Contributions& contributions);

/// Of the mean of values that are independent, but for those of one cluster (as Contributions::clusters); 0 for fewer
/// than two clusters.
double StandardError(std::span<const double> values, std::span<const uint64_t> clusters = {});

Interval NormalInterval(double value, double standard_error);

/// The value under `resamples` draws of as many clusters with replacement, a request of none being one of its own: the
/// positions of a request depend on each other, and so may the requests of a cluster.
///
/// Cost    O(resamples * terms). Same: a seed gives the same values everywhere.
/// Source  Efron 1979; we take percentiles (PercentileInterval), which keep the skew that rare rewards have. A handful
/// of
///         effective rows breaks it as it breaks the normal interval: support.h refuses those first.
std::vector<double> Resample(const Contributions& contributions, uint32_t resamples, uint64_t seed);

/// The middle kConfidence of `values`, interpolated; not empty.
Interval PercentileInterval(std::vector<double> values);

}  // namespace bowerbird::experiment::ope
