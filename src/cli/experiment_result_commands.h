#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/commands.h"

namespace bowerbird::cli {

/// `bowerbird experiment results` and `bowerbird experiment power`.
class ExperimentResultCommands {
 public:
  /// `experiment` is the command that they go below. `run` is set to the command that the line names. This object
  /// outlives both.
  void Add(CLI::App* experiment, std::function<absl::Status()>* run);

 private:
  ExperimentResultsOptions results_;
  ExperimentPowerOptions power_;
};

}  // namespace bowerbird::cli
