#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "signal/definition.h"

namespace bowerbird::state {

class StateStore;

/// What the store holds of each signal: of the users with the lowest keys, who are a sample like any other, because
/// keys are hashes.
struct SignalStatistics {
  struct One {
    uint64_t users = 0;     ///< of the sample, who have a value
    uint64_t bytes = 0;     ///< keys and values, before compression
    int64_t newest_us = 0;  ///< the newest event that any of them counted; 0: none
  };
  uint64_t users = 0;        ///< in the sample
  double share = 1;          ///< of all users that are in the sample, about; 1: exactly all
  std::vector<One> signals;  ///< by slot of the set
};

/// Reads users up to `users_max`, and their signals. Cost: a scan of both.
absl::StatusOr<SignalStatistics> CollectSignalStatistics(const StateStore& store, const signal::Set& signals,
                                                         uint64_t users_max);

}  // namespace bowerbird::state
