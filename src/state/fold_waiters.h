#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

#include "log/event_log.h"

namespace bowerbird::state {

/// Callers who wait until a partition is folded beyond an offset, each with a deadline.
///
/// Threads  any thread. A thread of its own watches the deadlines, by the monotonic clock.
/// Cost     Advanced without waiters: one atomic load.
class FoldWaiters {
 public:
  /// `done` is called exactly once.
  using Done = std::function<void(bool folded)>;
  using Folded = std::function<log::Offset(uint32_t partition)>;

  FoldWaiters(uint32_t partitions, Folded folded);
  ~FoldWaiters() { Stop(); }
  /// Answers whoever still waits with false, and whoever comes later at once. Idempotent.
  void Stop();

  void Wait(uint32_t partition, log::Offset offset, int64_t timeout_us, Done done);
  /// The partition's folded offset has grown: answers those who waited for it, on this thread.
  void Advanced(uint32_t partition);

 private:
  struct Waiter {
    uint32_t partition = 0;
    log::Offset offset = 0;
    int64_t deadline_us = 0;
    std::atomic<bool> answered = false;
    Done done;
    void Answer(bool folded);
  };
  struct LaterDeadline {
    bool operator()(const std::shared_ptr<Waiter>& a, const std::shared_ptr<Waiter>& b) const {
      return a->deadline_us > b->deadline_us;
    }
  };
  struct Partition {
    std::atomic<size_t> waiting = 0;
    std::mutex mutex;  ///< of what follows
    std::multimap<log::Offset, std::shared_ptr<Waiter>> waiters;
  };
  void Forget(const Waiter& waiter);
  void WatchDeadlines();

  const Folded folded_;
  std::vector<Partition> partitions_;

  std::mutex mutex_;  ///< of what follows
  std::condition_variable changed_;
  bool stop_ = false;
  std::priority_queue<std::shared_ptr<Waiter>, std::vector<std::shared_ptr<Waiter>>, LaterDeadline> deadlines_;
  std::thread thread_;
};

}  // namespace bowerbird::state
