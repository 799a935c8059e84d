#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bowerbird::experiment::metrics {

/// Of four values a unit: count, means, and the sums of products of distances to the means.
struct JointMoments {
  /// y is the metric, x the same before the exposure; of a ratio y / d they are numerators, and d and p, the
  /// denominators, stand beside them. Of a quantile of events y is how many of the unit's values lie below, x how many
  /// there are.
  enum Variable : uint8_t { kY, kX, kD, kP, kVariables };

  uint64_t count = 0;
  std::array<double, kVariables> mean{};
  std::array<double, kVariables*(kVariables + 1) / 2> comoments{};

  /// Of (a, b) in either order.
  double& comoment(size_t a, size_t b) { return comoments[IndexOf(a, b)]; }
  double comoment(size_t a, size_t b) const { return comoments[IndexOf(a, b)]; }
  /// Source: Chan, Golub, LeVeque 1979.
  void Merge(const JointMoments& other);
  /// So many more units whose values are all 0.
  void MergeZeros(uint64_t units) {
    JointMoments zeros;
    zeros.count = units;
    Merge(zeros);
  }

  bool operator==(const JointMoments&) const = default;

  /// Of comoment(a, b) in `comoments`.
  static constexpr size_t IndexOf(size_t a, size_t b) { return a >= b ? a * (a + 1) / 2 + b : b * (b + 1) / 2 + a; }
};

/// One metric over some units.
struct MetricCell {
  JointMoments moments;  ///< of what is left when values are cut
  uint64_t cut = 0;      ///< units whose value was beyond the cap
  double total = 0;      ///< sum of the values as they were
  double largest = 0;    ///< the largest value of a unit as it was, without its sign

  void Merge(const MetricCell& other);
};

struct Cell {
  uint64_t units = 0;
  std::vector<MetricCell> metrics;  ///< as asked for

  void Merge(const Cell& other);
};

struct ArmCell : Cell {
  uint64_t exposures = 0;  ///< rows
  uint64_t repeated = 0;   ///< at least so many of them beyond one a day
  uint64_t events = 0;     ///< that counted
  uint64_t skewed = 0;     ///< that said that they were before the exposure, and came in after it: left out
};

/// A bucket of a quantile metric's values.
struct ValueBucket {
  double low = 0, high = 0;  ///< in (low, high]
  uint64_t count = 0;
};

/// Persons who were not counted, by why.
struct LeftOut {
  uint64_t two_arms = 0;     ///< one id was shown two arms
  uint64_t forced = 0;       ///< a tester
  uint64_t marked = 0;       ///< no person: docs/guides/traffic.md
  uint64_t no_arm = 0;       ///< in an arm that the experiment has not
  uint64_t no_user = 0;      ///< units that no user stands behind
  uint64_t merged_arms = 0;  ///< counted, by the earlier arm: ids of different arms became one user
};

/// What the arms did. Arms and metrics by their index in the experiment; days as "2026-11-27" (UTC).
struct Statistics {
  int64_t begin_us = 0, end_us = 0;  ///< exposures and events in between
  size_t arms = 0;
  std::map<std::pair<size_t, uint32_t>, ArmCell> by_arm_and_phase;
  std::map<std::string, std::vector<uint64_t>> entered;  ///< by day, and arm
  std::map<std::string, std::vector<Cell>> by_day;       ///< of primary metrics; who did nothing that day is not in it
  std::map<std::string, std::vector<Cell>> by_segment;   ///< by value, and arm
  std::map<std::string, std::vector<Cell>> by_other;     ///< by "EXPERIMENT/ARM", and arm
  std::map<std::pair<size_t, size_t>, std::vector<ValueBucket>> buckets;  ///< by metric and arm, ascending
  std::map<std::pair<size_t, size_t>, JointMoments> quantiles;            ///< by metric and arm, of those of events
  LeftOut left_out;

  /// All phases of an arm together.
  ArmCell Arm(size_t arm) const;
};

}  // namespace bowerbird::experiment::metrics
