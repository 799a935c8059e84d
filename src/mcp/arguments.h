#pragma once

#include <simdjson.h>

#include "absl/status/statusor.h"
#include "base/json_writer.h"
#include "mcp/toolbox.h"

namespace bowerbird::mcp {

/// Reads what a client sent for a tool. InvalidArgument names the argument: unknown, missing, of another type, out of
/// bounds.
absl::StatusOr<Arguments> ReadArguments(const Tool& tool, simdjson::dom::object given);

/// The tool's parameters as a JSON schema.
void WriteSchema(const Tool& tool, base::JsonWriter* json);

}  // namespace bowerbird::mcp
