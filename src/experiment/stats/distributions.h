#pragma once

namespace bowerbird::experiment::stats {

/// The distributions that tests and intervals are read from: Boost.Math behind one file, because its headers take
/// longer to compile than the rest of the module together (docs/decisions/0060-statistics.md).
///
/// Errors   none: what has no answer (a NaN, a probability outside of [0, 1], no degrees of freedom) is a NaN. Callers
///          check what they were given before they ask.
/// Cost     about a microsecond each.

double NormalCdf(double z);
double NormalDensity(double z);
/// z with NormalCdf(z) = probability.
double NormalQuantile(double probability);

/// P(|T| >= |t|). Infinite degrees of freedom are the normal distribution.
double StudentTwoSidedP(double t, double degrees_of_freedom);
/// t with P(|T| >= t) = alpha.
double StudentTwoSidedCritical(double alpha, double degrees_of_freedom);

/// P(X >= x).
double ChiSquaredTail(double x, double degrees_of_freedom);

/// Of Beta(a, b), a and b > 0.
double BetaCdf(double x, double a, double b);
double BetaDensity(double x, double a, double b);
/// x with BetaCdf(x) = probability.
double BetaQuantile(double probability, double a, double b);

}  // namespace bowerbird::experiment::stats
