#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace bowerbird::base {

/// Seeded generator whose sequence is the same on every machine and compiler (xoshiro256**, seeded by splitmix64;
/// Blackman and Vigna 2018). The standard library's distributions are not portable: use the members below.
///
/// Threads  not safe; one a thread.
class Rng {
 public:
  using result_type = uint64_t;
  explicit Rng(uint64_t seed) {
    for (uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }
  uint64_t operator()() {
    const uint64_t result = Rotate(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = Rotate(state_[3], 45);
    return result;
  }
  /// Uniform in [0, 1).
  double Uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }
  /// Uniform in [0, bound); bound > 0. Bias below 2^-32 for bounds under 2^32.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>((*this)()) * bound) >> 64);
  }
  bool Bernoulli(double probability) { return Uniform() < probability; }
  /// Standard normal (Box and Muller, one of the pair).
  double Normal() {
    const double u = 1.0 - Uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * Uniform());
  }
  /// Exponential with mean 1.
  double Exponential() { return -std::log(1.0 - Uniform()); }
  /// Standard Gumbel: arg max over (log weight + Gumbel) draws by Plackett-Luce.
  double Gumbel() { return -std::log(Exponential()); }

 private:
  static uint64_t Rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  uint64_t state_[4];
};

}  // namespace bowerbird::base
