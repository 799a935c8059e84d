#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"

namespace bowerbird::base {

/// The number of threads to use for a wish of `threads`: 0 means one a hardware thread.
uint32_t ResolveThreads(uint32_t threads);

/// Calls body(task, thread) once for each task in [0, task_count) and returns when all are done; `thread` is in
/// [0, ResolveThreads(threads)), and no two calls run at once under the same one (so it may index scratch memory).
///
/// Order    tasks start in ascending order; which thread takes which is not determined, so a result that must not
/// depend on
///          the thread count is written per task, never accumulated per thread.
/// Threads  the caller's thread works too; the others live for this call only (tens of microseconds).
void ParallelFor(uint32_t threads, size_t task_count, absl::FunctionRef<void(size_t task, uint32_t thread)> body);

}  // namespace bowerbird::base
