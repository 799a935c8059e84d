#include "base/thread_priority.h"

#if defined(__linux__)
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace bowerbird::base {

void GiveWay(int steps) {
#if defined(__linux__)
  // On Linux a nice value is a thread's. A refusal leaves the thread as it is, which is no error.
  const auto thread = static_cast<id_t>(syscall(SYS_gettid));
  (void)setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + steps);
#else
  (void)steps;
#endif
}

}  // namespace bowerbird::base
