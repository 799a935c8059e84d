#include "base/thread_priority.h"

#include <algorithm>
#include <cstdint>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace bowerbird::base {
namespace {

#if defined(__linux__)
/// The kernel's struct sched_attr (sched_setattr(2)), whose header does not go with libc's.
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t slice_ns = 0, deadline_ns = 0, period_ns = 0;
};
constexpr int kNiceMax = 19;
constexpr uint64_t kShortestSliceNs = 100'000;
#endif

}  // namespace

void GiveWay(int steps) {
#if defined(__linux__)
  // On Linux a nice value and a slice are a thread's. A refusal leaves the thread as it is, which is no error; kernels
  // before 6.12 pass over the slice.
  SchedulingAttributes attributes;
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) != 0) return;
  attributes.nice = std::min(attributes.nice + steps, kNiceMax);
  attributes.slice_ns = kShortestSliceNs;
  (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
#else
  (void)steps;
#endif
}

}  // namespace bowerbird::base
