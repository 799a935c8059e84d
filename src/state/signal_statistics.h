#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "signal/definition.h"

namespace bowerbird::state {

class StateStore;

/// What the store holds of each signal: of the users and the items with the lowest keys, which are a sample like any
/// other, because keys are hashes.
struct SignalStatistics {
  struct One {
    uint64_t holders = 0;   ///< users or items of the sample that have a value
    uint64_t bytes = 0;     ///< keys and values, before compression
    int64_t newest_us = 0;  ///< the newest event that any of them counted; 0: none
  };
  uint64_t users = 0;        ///< in the sample
  double share = 1;          ///< of all users that are in the sample, about; 1: exactly all
  std::vector<One> signals;  ///< by slot of the set
  uint64_t items = 0;        ///< in their sample: those that have a value of any
  double item_share = 1;
  std::vector<One> item_signals;
};

/// Reads users up to `count_max`, and their signals; and the signals of as many items. Cost: a scan of these.
absl::StatusOr<SignalStatistics> CollectSignalStatistics(const StateStore& store, const signal::Set& signals,
                                                         const signal::Set& item_signals, uint64_t count_max);

}  // namespace bowerbird::state
