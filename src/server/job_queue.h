#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>

#include "absl/synchronization/mutex.h"

namespace bowerbird::server {

/// Runs functions that take seconds to minutes, one after another, on a thread of its own, so that answers go on.
///
/// Threads  Add from any thread.
/// Bounds   kWaitingMax functions wait; one more is refused.
class JobQueue {
 public:
  static constexpr size_t kWaitingMax = 16;

  JobQueue();
  /// Runs what waits, then ends: everything that was added has run.
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  /// False: too many wait already.
  bool Add(std::function<void()> job);

 private:
  void Run();

  absl::Mutex mutex_;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace bowerbird::server
