#pragma once

#include <cmath>
#include <cstdint>

namespace bowerbird::base {

/// 2^(-age / half_life): 1 for an age of 0 or below, and for a half-life of 0 (no decay).
///
/// The same bits on every machine, unlike std::exp2, so that state made on one equals its replay on another: only
/// additions and multiplications in a fixed order. Relative error below 1e-15.
inline double DecayFactor(int64_t age_us, int64_t half_life_us) {
  if (age_us <= 0 || half_life_us <= 0) return 1.0;
  const double half_lives = static_cast<double>(age_us) / static_cast<double>(half_life_us);
  if (half_lives >= 1000.0) return 0.0;
  const double whole = std::floor(half_lives + 0.5);
  const double x = (whole - half_lives) * 0.69314718055994530942;  // in [-0.347, 0.347]
  double sum = 1.0;
  for (int n = 13; n >= 1; --n) sum = 1.0 + sum * x / n;  // Horner over the Taylor series of e^x
  return std::ldexp(sum, -static_cast<int>(whole));
}

}  // namespace bowerbird::base
