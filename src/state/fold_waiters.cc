#include "state/fold_waiters.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"

namespace bowerbird::state {

void FoldWaiters::Waiter::Answer(bool folded) {
  if (answered.exchange(true)) return;
  // What the callback holds is released now, not when the deadline passes.
  const Done call = std::move(done);
  call(folded);
}

FoldWaiters::FoldWaiters(uint32_t partitions, Folded folded)
    : folded_(std::move(folded)), partitions_(partitions), thread_([this] { WatchDeadlines(); }) {}

void FoldWaiters::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return;
    stop_ = true;
    changed_.notify_one();
  }
  thread_.join();
  for (Partition& partition : partitions_) {
    std::multimap<log::Offset, std::shared_ptr<Waiter>> waiters;
    {
      const std::lock_guard lock(partition.mutex);
      waiters.swap(partition.waiters);
      partition.waiting = 0;
    }
    for (auto& [offset, waiter] : waiters) waiter->Answer(false);
  }
}

void FoldWaiters::Wait(uint32_t partition_index, log::Offset offset, int64_t timeout_us, Done done) {
  if (folded_(partition_index) > offset) return done(true);
  if (timeout_us <= 0) return done(false);
  auto waiter = std::make_shared<Waiter>();
  waiter->partition = partition_index;
  waiter->offset = offset;
  waiter->deadline_us = base::MonotonicUs() + timeout_us;
  waiter->done = std::move(done);
  Partition& partition = partitions_[partition_index];
  {
    const std::lock_guard lock(partition.mutex);
    partition.waiters.emplace(offset, waiter);
    ++partition.waiting;
  }
  bool stopped = false;
  {
    const std::lock_guard lock(mutex_);
    stopped = stop_;
    const bool first = deadlines_.empty() || waiter->deadline_us < deadlines_.top()->deadline_us;
    if (!stopped) deadlines_.push(waiter);
    if (first) changed_.notify_one();
  }
  if (stopped) {
    Forget(*waiter);
    waiter->Answer(false);
    return;
  }
  // The fold may have passed between the look above and the entry: then nobody else would answer before the deadline.
  if (folded_(partition_index) > offset) Advanced(partition_index);
}

void FoldWaiters::Advanced(uint32_t partition_index) {
  Partition& partition = partitions_[partition_index];
  if (partition.waiting == 0) return;
  std::vector<std::shared_ptr<Waiter>> ready;
  {
    const std::lock_guard lock(partition.mutex);
    const auto end = partition.waiters.lower_bound(folded_(partition_index));
    for (auto at = partition.waiters.begin(); at != end; ++at) ready.push_back(std::move(at->second));
    partition.waiters.erase(partition.waiters.begin(), end);
    partition.waiting -= ready.size();
  }
  for (const std::shared_ptr<Waiter>& waiter : ready) waiter->Answer(true);
}

void FoldWaiters::Forget(const Waiter& waiter) {
  Partition& partition = partitions_[waiter.partition];
  const std::lock_guard lock(partition.mutex);
  const auto [begin, end] = partition.waiters.equal_range(waiter.offset);
  const auto found = std::find_if(begin, end, [&](const auto& entry) { return entry.second.get() == &waiter; });
  if (found == end) return;
  partition.waiters.erase(found);
  --partition.waiting;
}

void FoldWaiters::WatchDeadlines() {
  while (true) {
    std::shared_ptr<Waiter> due;
    {
      std::unique_lock lock(mutex_);
      while (!stop_ && (deadlines_.empty() || deadlines_.top()->deadline_us > base::MonotonicUs())) {
        if (deadlines_.empty()) {
          changed_.wait(lock);
        } else {
          const int64_t wait_us = deadlines_.top()->deadline_us - base::MonotonicUs();
          changed_.wait_for(lock, std::chrono::microseconds(std::max<int64_t>(wait_us, 1)));
        }
      }
      if (stop_) return;
      due = deadlines_.top();
      deadlines_.pop();
    }
    Forget(*due);
    due->Answer(false);
  }
}

}  // namespace bowerbird::state
