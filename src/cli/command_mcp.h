#pragma once

#include "absl/status/status.h"
#include "cli/commands.h"

namespace bowerbird::cli {

struct McpOptions {
  Folder folder;
  bool unmasked = false;  ///< users by their ids
};
/// The Model Context Protocol on standard input and output, until the input ends.
absl::Status Mcp(const McpOptions& options);

}  // namespace bowerbird::cli
