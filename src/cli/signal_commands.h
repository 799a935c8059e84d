#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/commands.h"

namespace bowerbird::cli {

/// The commands about declared signals and segments, and loaded features: what there is, what it holds, who is in it,
/// and whether what was served is what the log says.
class SignalCommands {
 public:
  /// `run` is set to the command that the line names. This object outlives both.
  void Add(CLI::App* program, std::function<absl::Status()>* run);

 private:
  void AddSegments(CLI::App* program);
  void AddFeatures(CLI::App* program);

  std::function<absl::Status()>* run_ = nullptr;
  SignalsOptions signals_;
  SegmentsOptions segments_;
  FeaturesOptions features_;
  CheckSkewOptions skew_;
};

}  // namespace bowerbird::cli
