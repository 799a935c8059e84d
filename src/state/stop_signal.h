#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace bowerbird::state {

/// Tells threads to stop, and lets them sleep until then.
class StopSignal {
 public:
  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  bool stopped() const { return WaitFor(0); }
  /// True as soon as it is time to stop, false after `timeout_us`.
  bool WaitFor(int64_t timeout_us) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::microseconds(timeout_us), [this] { return stopped_; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool stopped_ = false;
};

}  // namespace bowerbird::state
