#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "log/event_log.h"

namespace bowerbird::state {

/// What the last append of a State's own to the log came to. Threads: any.
class AppendHealth {
 public:
  void Set(absl::Status status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  absl::Status status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  /// Notes what an append comes to. It keeps `health`: the log may call back after the State is gone.
  static log::EventLog::AppendDone Note(std::shared_ptr<AppendHealth> health) {
    return [health = std::move(health)](const absl::StatusOr<std::vector<log::Offset>>& appended) {
      health->Set(appended.status());
    };
  }

 private:
  mutable std::mutex mutex_;
  absl::Status status_;
};

}  // namespace bowerbird::state
