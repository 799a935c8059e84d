#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "stats/case.h"

namespace bowerbird::experiment::stats {

/// What the case's method makes of it, as numbers in an order that agreement_test.py knows. NotFound: no such method.
absl::StatusOr<std::vector<double>> Answer(const Case& asked);

}  // namespace bowerbird::experiment::stats
