#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace bowerbird::cli {

/// A definition of an experiment as TOML, made the JSON of POST /v1/experiments; what the API takes is the API's to
/// say. An arm's `changes` may be a table of keys of the config, as in bowerbird.toml. InvalidArgument: not TOML, each
/// problem with its line.
absl::StatusOr<std::string> ExperimentJson(std::string_view toml, const std::string& file);

/// The definition in the API's JSON of an experiment, without what only the server says, as TOML that ExperimentJson
/// takes.
absl::StatusOr<std::string> ExperimentToml(simdjson::dom::element experiment);

}  // namespace bowerbird::cli
