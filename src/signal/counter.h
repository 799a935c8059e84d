#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace bowerbird::signal {

/// How a counter forgets: by a window, by decay, or never (both 0).
struct CounterShape {
  int64_t bucket_us = 0;  ///< width of the window's buckets (window_counts.h)
  int64_t half_life_us = 0;
};

/// One number that events add to, as bytes. Windowed: window_counts.h, amounts count as 1. Decayed: the sum (8,
/// float64) as of the newest event's time, and that time (varint, microseconds). Else a varint of how many. No bytes:
/// nothing counted.
///
/// Times are not negative. Equal sequences give equal bytes; of a decayed sum another order changes the rounding, of
/// the others nothing.
void AddToCounter(const CounterShape& shape, double amount, int64_t time_us, std::string* bytes);
void MergeCounter(const CounterShape& shape, std::string_view other, std::string* bytes);
double ReadCounter(const CounterShape& shape, std::string_view bytes, int64_t as_of_us);
/// DataLoss: not such bytes. The others take what passes.
absl::Status CheckCounter(const CounterShape& shape, std::string_view bytes);

}  // namespace bowerbird::signal
