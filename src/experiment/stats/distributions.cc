#include "experiment/stats/distributions.h"

#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

namespace bowerbird::experiment::stats {
namespace {

namespace math = boost::math;
// Nothing is thrown, and doubles stay doubles: long double would cost several times as much for digits beyond the 15
// that are asked for.
using Quiet = math::policies::policy<math::policies::domain_error<math::policies::ignore_error>,
                                     math::policies::pole_error<math::policies::ignore_error>,
                                     math::policies::overflow_error<math::policies::ignore_error>,
                                     math::policies::evaluation_error<math::policies::ignore_error>,
                                     math::policies::rounding_error<math::policies::ignore_error>,
                                     math::policies::indeterminate_result_error<math::policies::ignore_error>,
                                     math::policies::promote_double<false>>;
using Normal = math::normal_distribution<double, Quiet>;
using StudentT = math::students_t_distribution<double, Quiet>;
using ChiSquared = math::chi_squared_distribution<double, Quiet>;
using Beta = math::beta_distribution<double, Quiet>;

}  // namespace

double NormalCdf(double z) { return math::cdf(Normal(), z); }

double NormalDensity(double z) { return math::pdf(Normal(), z); }

double NormalQuantile(double probability) { return math::quantile(Normal(), probability); }

double StudentTwoSidedP(double t, double degrees_of_freedom) {
  if (std::isinf(t)) return 0;
  return 2 * math::cdf(math::complement(StudentT(degrees_of_freedom), std::abs(t)));
}

double StudentTwoSidedCritical(double alpha, double degrees_of_freedom) {
  return math::quantile(math::complement(StudentT(degrees_of_freedom), alpha / 2));
}

double ChiSquaredTail(double x, double degrees_of_freedom) {
  return math::cdf(math::complement(ChiSquared(degrees_of_freedom), x));
}

double BetaCdf(double x, double a, double b) { return math::cdf(Beta(a, b), x); }

double BetaDensity(double x, double a, double b) { return math::pdf(Beta(a, b), x); }

double BetaQuantile(double probability, double a, double b) { return math::quantile(Beta(a, b), probability); }

}  // namespace bowerbird::experiment::stats
