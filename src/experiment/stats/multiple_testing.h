#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::experiment::stats {

/// p-values of several tests that were read together (metrics, arms, segments), adjusted, in the order given: those at
/// or below alpha are what is found.
///
/// Errors   InvalidArgument: a p-value is outside of [0, 1].
/// Cost     a sort.

/// The chance of any false alarm stays below alpha, however the tests depend on each other. Source: Holm 1979.
absl::StatusOr<std::vector<double>> HolmAdjusted(std::span<const double> p_values);

/// Of what is found, a share of alpha is false on average, for tests that are independent or lean the same way. Source:
/// Benjamini, Hochberg 1995.
absl::StatusOr<std::vector<double>> BenjaminiHochbergAdjusted(std::span<const double> p_values);

}  // namespace bowerbird::experiment::stats
