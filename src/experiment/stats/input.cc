#include "experiment/stats/input.h"

#include <cmath>

#include "fmt/format.h"

namespace bowerbird::experiment::stats {
namespace {

absl::Status Refused(std::string_view field, double value, std::string_view expected) {
  return absl::InvalidArgumentError(fmt::format("{} is {}; expected {}", field, value, expected));
}

}  // namespace

absl::Status CheckFinite(std::string_view field, double value) {
  return std::isfinite(value) ? absl::OkStatus() : Refused(field, value, "a finite number");
}

absl::Status CheckPositive(std::string_view field, double value) {
  return std::isfinite(value) && value > 0 ? absl::OkStatus() : Refused(field, value, "a finite number above 0");
}

absl::Status CheckNotNegative(std::string_view field, double value) {
  return std::isfinite(value) && value >= 0 ? absl::OkStatus() : Refused(field, value, "a finite number, 0 or above");
}

absl::Status CheckInsideUnit(std::string_view field, double value) {
  return value > 0 && value < 1 ? absl::OkStatus() : Refused(field, value, "a number above 0 and below 1");
}

}  // namespace bowerbird::experiment::stats
