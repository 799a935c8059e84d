#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace bowerbird::config {

/// All of them, one a line.
std::string ProblemList(const std::vector<Problem>& problems);

}  // namespace bowerbird::config
