#pragma once

#include <cstdint>

namespace bowerbird::evaluate {

/// One action of a user on an item, in dense numbers.
struct Interaction {
  uint32_t user = 0;
  uint32_t item = 0;
  int64_t time_us = 0;
  float weight = 1;
  friend bool operator==(const Interaction&, const Interaction&) = default;
};

}  // namespace bowerbird::evaluate
