#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "bowerbird/v1/experiment.pb.h"
#include "log/event_log.h"

namespace bowerbird::experiment::live {

/// Writes exposures to topic `exposures`, each unit, experiment, arm and day of UTC once, as far as this process
/// remembers: after a restart a row may come again. Nobody waits for the log.
///
/// Threads  any.
/// Bounds   two tables of kRememberedMax / 2 hashes: the older one is dropped when the newer one is full.
class Exposures {
 public:
  static constexpr size_t kRememberedMax = 1u << 20;

  /// `log` outlives it.
  explicit Exposures(log::EventLog* log) : log_(log) {}
  /// `partition` is the user's, or the unit's. False: it was written already.
  bool Write(const v1::Exposure& exposure, uint32_t partition);

  uint64_t written() const { return written_; }
  uint64_t failed() const { return failed_; }  ///< the log did not take them

 private:
  bool IsFirst(uint64_t print);

  log::EventLog* const log_;
  absl::Mutex mutex_;
  absl::flat_hash_set<uint64_t> newer_ ABSL_GUARDED_BY(mutex_), older_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> written_ = 0, failed_ = 0;
};

}  // namespace bowerbird::experiment::live
