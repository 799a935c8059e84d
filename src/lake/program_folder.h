#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace bowerbird::lake {

/// Where a file lies that comes with the program: beside it, in the package's folder, above it, as from a benchmark,
/// or, in a build with tests, where the build left it. Unavailable: nowhere.
absl::StatusOr<std::string> BesideProgram(const std::string& name);

}  // namespace bowerbird::lake
