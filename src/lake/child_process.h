#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::lake {

struct ChildOptions {
  std::vector<std::string> arguments;  ///< the first one is the program, found on the path when it names no folder
  std::string input;                   ///< its standard input
  bool environment = false;            ///< false: it gets none
  double seconds = 30;
  uint64_t output_bytes_max = 0;
  /// Asked every few milliseconds; true ends it. May be empty.
  std::function<bool()> cancelled;
};

struct ChildResult {
  std::string output, errors;  ///< of the errors, the end
  int status = 0;              ///< as waitpid says
};

/// Runs a program to its end. It is killed when time is up, when `cancelled` says so and when it prints too much.
///
/// Threads  any; each call has a process of its own, which holds no descriptor of ours but its standard ones.
/// Errors   Unavailable: it could not be started; DeadlineExceeded, Cancelled, ResourceExhausted, each naming the
///          limit. How it ended is the caller's to judge.
absl::StatusOr<ChildResult> RunChild(const ChildOptions& options);

}  // namespace bowerbird::lake
