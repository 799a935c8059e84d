#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/training.h"

namespace bowerbird::cli {

/// `bowerbird rows`, `train ranker`, `ranker` and `sim`.
class TrainingCommands {
 public:
  /// `train` is the command of that name. `run` is set to the command that the line names. This object outlives both.
  void Add(CLI::App* program, CLI::App* train, std::function<absl::Status()>* run);

 private:
  RowsOptions rows_;
  RankerOptions ranker_;
  SimRankerOptions sim_;
  SimOpeOptions sim_ope_;
};

}  // namespace bowerbird::cli
