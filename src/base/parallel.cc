#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace bowerbird::base {

uint32_t ResolveThreads(uint32_t threads) {
  return threads != 0 ? threads : std::max(1u, std::thread::hardware_concurrency());
}

void ParallelFor(uint32_t threads, size_t task_count, absl::FunctionRef<void(size_t task, uint32_t thread)> body) {
  const size_t workers = std::min<size_t>(ResolveThreads(threads), task_count);
  std::atomic<size_t> next{0};
  const auto work = [&](uint32_t thread) {
    for (size_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < task_count;) body(task, thread);
  };
  std::vector<std::jthread> others;
  for (uint32_t thread = 1; thread < workers; ++thread) others.emplace_back(work, thread);
  work(0);
}

}  // namespace bowerbird::base
