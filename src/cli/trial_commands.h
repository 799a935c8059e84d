#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/trials.h"

namespace bowerbird::cli {

/// `bowerbird sim ab` and `sim interleave`.
class TrialCommands {
 public:
  /// `sim` is the command of that name. `run` is set to the command that the line names. This object outlives both.
  void Add(CLI::App* sim, std::function<absl::Status()>* run);

 private:
  SimAbOptions ab_;
  SimInterleaveOptions interleave_;
};

}  // namespace bowerbird::cli
