#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

namespace bowerbird::base {

/// One value that is replaced as a whole while others read it: a reader keeps what it got, however long it needs it.
///
/// Threads  any number of readers and writers.
/// Cost     Get: one uncontended lock and a reference count, about 20 ns.
template <typename T>
class Published {
 public:
  Published() = default;
  explicit Published(std::shared_ptr<const T> value) : value_(std::move(value)) {}
  /// Null until the first Set.
  std::shared_ptr<const T> Get() const {
    const std::shared_lock lock(mutex_);
    return value_;
  }
  void Set(std::shared_ptr<const T> value) {
    {
      const std::lock_guard lock(mutex_);
      value_.swap(value);
    }
    // The old value is released here, outside the lock: freeing a snapshot may take milliseconds.
  }

 private:
  mutable std::shared_mutex mutex_;
  std::shared_ptr<const T> value_;
};

}  // namespace bowerbird::base
