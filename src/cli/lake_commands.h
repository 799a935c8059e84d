#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/command_mcp.h"
#include "cli/commands.h"

namespace bowerbird::cli {

/// `bowerbird lake` and `bowerbird job`.
class LakeCommands {
 public:
  /// `run` is set to the command that the line names. This object outlives both.
  void Add(CLI::App* program, std::function<absl::Status()>* run);

 private:
  LakeSqlOptions sql_;
  LakeOptions lake_;
  JobRunOptions job_;
  McpOptions mcp_;
};

}  // namespace bowerbird::cli
