#include "server/job_queue.h"

#include <utility>

namespace bowerbird::server {

JobQueue::JobQueue(size_t waiting_max) : waiting_max_(waiting_max), thread_([this] { Run(); }) {}

JobQueue::~JobQueue() {
  {
    const absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  thread_.join();
}

bool JobQueue::Add(std::function<void()> job) {
  const absl::MutexLock lock(&mutex_);
  if (waiting_.size() >= waiting_max_) return false;
  waiting_.push_back(std::move(job));
  return true;
}

void JobQueue::Run() {
  const auto has_work = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return ending_ || !waiting_.empty(); };
  while (true) {
    std::function<void()> job;
    {
      const absl::MutexLock lock(&mutex_, absl::Condition(&has_work));
      if (waiting_.empty()) return;
      job = std::move(waiting_.front());
      waiting_.pop_front();
    }
    job();
  }
}

}  // namespace bowerbird::server
