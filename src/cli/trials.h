#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace bowerbird::cli {

/// `bowerbird sim ab` and `sim interleave`: how well experiments find what is known to be there.

struct SimAbOptions {
  double effect = 0.02;
  uint32_t days = 14;
  uint32_t repeats = 200;
  uint64_t seed = 1;
  bool json = false;
};
absl::Status SimAb(const SimAbOptions& options);

struct SimInterleaveOptions {
  uint64_t seed = 1;
  uint32_t pairs = 100;
  uint32_t items = 3600, users = 3000;
  uint32_t days = 7;
  bool json = false;
};
absl::Status SimInterleave(const SimInterleaveOptions& options);

}  // namespace bowerbird::cli
