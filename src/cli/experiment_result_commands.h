#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "cli/commands.h"

namespace bowerbird::cli {

struct ExperimentResultsOptions {
  Folder folder;
  std::string id, file;  ///< one of the two
  std::string segment, others, engine = "duckdb";
  bool json = false;
};
absl::Status ExperimentResults(const ExperimentResultsOptions& options);

struct ExperimentPowerOptions {
  Folder folder;
  std::string metric;
  double effect = 0;  ///< 0: the metric's own minimum
  uint32_t days = 14;
  bool json = false;
};
absl::Status ExperimentPower(const ExperimentPowerOptions& options);

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
