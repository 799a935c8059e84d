#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/commands.h"

namespace bowerbird::cli {

/// The commands about experiments, and what an arm of one makes of the config.
class ExperimentCommands {
 public:
  /// `config` is the command `config`, to which `diff` is added. `run` is set to the command that the line names. This
  /// object outlives all of them.
  void Add(CLI::App* program, CLI::App* config, std::function<absl::Status()>* run);

 private:
  void AddChanges(CLI::App* experiment);

  std::function<absl::Status()>* run_ = nullptr;
  ExperimentOptions experiment_;
};

}  // namespace bowerbird::cli
