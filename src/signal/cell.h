#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "signal/counter.h"

namespace bowerbird::signal {

enum class Kind : uint8_t { kLastN, kCount, kDecayedSum, kRatio, kTopK, kDistinct, kTimeSince };

/// What of a definition its bytes and their reading depend on.
struct Shape {
  Kind kind = Kind::kCount;
  CounterShape counter;                ///< of kCount, kDecayedSum, kRatio, kTopK
  int64_t window_us = 0;               ///< kLastN: older values are not read
  uint32_t n = 0;                      ///< kLastN, kTopK
  double prior = 0, prior_weight = 0;  ///< kRatio
};

/// What one event adds to one cell.
struct Addend {
  int64_t time_us = 0;     ///< not negative
  double amount = 1;       ///< kDecayedSum
  bool counts_on = true;   ///< kRatio: it counts below the line
  bool counts_of = false;  ///< kRatio: it counts above the line
  std::string_view value;  ///< kLastN, kTopK, kDistinct
};

/// What a cell says at some time.
struct Reading {
  struct Item {
    std::string value;
    double number = 0;    ///< kTopK: its count
    int64_t time_us = 0;  ///< kLastN: when, to the millisecond
    bool operator==(const Item&) const = default;
  };
  std::optional<double> number;  ///< all kinds but kLastN and kTopK; seconds for kTimeSince; none: nothing to say
  std::vector<Item> items;       ///< kLastN: newest first; kTopK: most frequent first
  bool operator==(const Reading&) const = default;
};

/// The value that a signal has for one user, or for one user and one key, as bytes:
///
///   kCount, kDecayedSum  a counter (counter.h)
///   kRatio               string: the counter above the line; then the one below
///   kLastN               newest first, ties by value: varint milliseconds (then the distance to the one before),
///   string kTopK                counters by value, the 2n strongest (cell_table.h) kDistinct distinct_sketch.h
///   kTimeSince           varint microseconds
///
/// `as_of_us` is the newest time in the signal's value: by it strengths are compared where something has to go.
void AddToCell(const Shape& shape, const Addend& addend, int64_t as_of_us, std::string* cell);
void MergeCell(const Shape& shape, std::string_view other, int64_t as_of_us, std::string* cell);
/// By which the weakest of several cells is found.
double CellStrength(const Shape& shape, std::string_view cell, int64_t as_of_us);
Reading ReadCell(const Shape& shape, std::string_view cell, int64_t as_of_us);
/// DataLoss: not such bytes. The others take what passes.
absl::Status CheckCell(const Shape& shape, std::string_view cell);

}  // namespace bowerbird::signal
