#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace bowerbird::experiment::stats {

/// What every function of this module says of a number that it cannot take: InvalidArgument with the field's name, its
/// value, and what is accepted.

/// Anything but a NaN or an infinity.
absl::Status CheckFinite(std::string_view field, double value);
/// Finite, and > 0.
absl::Status CheckPositive(std::string_view field, double value);
/// Finite, and >= 0.
absl::Status CheckNotNegative(std::string_view field, double value);
/// Between 0 and 1, and neither.
absl::Status CheckInsideUnit(std::string_view field, double value);

}  // namespace bowerbird::experiment::stats
