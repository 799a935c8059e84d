#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/commands.h"

namespace bowerbird::cli {

/// The commands that run a folder: its apps and keys.
class OperatorCommands {
 public:
  /// `run` is set to the command that the line names. This object outlives both.
  void Add(CLI::App* program, std::function<absl::Status()>* run);

 private:
  void AddApps(CLI::App* program);

  std::function<absl::Status()>* run_ = nullptr;
  AppsOptions apps_;
};

}  // namespace bowerbird::cli
