#pragma once

#include <cstdint>
#include <string_view>

#include "base/hash.h"

namespace bowerbird::experiment::assignment {

/// A layer is cut into so many buckets: the least share of units that an experiment can take is 0.01%.
inline constexpr uint32_t kBuckets = 10'000;

/// A draw that is the same for equal inputs and, over salts, as good as independent: MurmurHash3's finalizer, twice, so
/// that salts that differ in one bit differ in half of the result's.
inline uint64_t Draw(uint64_t unit_hash, uint64_t salt) {
  uint64_t x = unit_hash ^ salt;
  for (int round = 0; round < 2; ++round) {
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    x ^= x >> 33;
    x += salt;
  }
  return x;
}

/// In [0, count), by the draw's high bits.
inline uint32_t Below(uint64_t draw, uint32_t count) {
  return static_cast<uint32_t>(((draw >> 32) * uint64_t{count}) >> 32);
}

/// In [0, 1).
inline double Uniform(uint64_t draw) { return static_cast<double>(draw >> 11) * 0x1p-53; }

/// Once a unit; every layer draws from it. Equal ids of two kinds of units have nothing to do with each other.
inline uint64_t UnitHash(std::string_view kind, std::string_view id) {
  return base::CombineHash(base::Hash64(kind), base::Hash64(id));
}

}  // namespace bowerbird::experiment::assignment
