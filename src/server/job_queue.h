#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>

#include "absl/synchronization/mutex.h"

namespace bowerbird::server {

/// Runs functions that wait for a disk or compute for long, one after another, on a thread of its own, so that answers
/// go on.
///
/// Threads  Add from any thread.
/// Bounds   `waiting_max` functions wait; one more is refused.
class JobQueue {
 public:
  explicit JobQueue(size_t waiting_max);
  /// Runs what waits, then ends: everything that was added has run.
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  /// False: too many wait already.
  bool Add(std::function<void()> job);
  size_t waiting_max() const { return waiting_max_; }

 private:
  void Run();

  const size_t waiting_max_;
  absl::Mutex mutex_;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace bowerbird::server
