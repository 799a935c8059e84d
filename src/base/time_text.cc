#include "base/time_text.h"

#include <fmt/format.h>

#include <cmath>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"

namespace bowerbird::base {
namespace {

struct Unit {
  std::string_view name;
  int64_t us;
};
// Longest first, so that the shortest exact text is found from the top.
constexpr Unit kUnits[] = {{"w", 604'800'000'000},
                           {"d", 86'400'000'000},
                           {"h", 3'600'000'000},
                           {"m", 60'000'000},
                           {"s", 1'000'000},
                           {"ms", 1'000},
                           {"us", 1}};

}  // namespace

absl::StatusOr<int64_t> ParseDurationUs(std::string_view text) {
  const size_t split = text.find_first_of("umshdw");
  double number = 0;
  if (split != std::string_view::npos && absl::SimpleAtod(std::string(text.substr(0, split)), &number) &&
      std::isfinite(number)) {
    for (const Unit& unit : kUnits) {
      if (text.substr(split) != unit.name) continue;
      const double us = number * static_cast<double>(unit.us);
      if (std::abs(us) < 9.2e18) return static_cast<int64_t>(std::llround(us));
    }
  }
  return absl::InvalidArgumentError(
      fmt::format("'{}' is not a duration; expected a number and one of us, ms, s, m, h, d, w, such as \"7d\"", text));
}

std::string FormatDurationUs(int64_t duration_us) {
  if (duration_us == 0) return "0s";
  for (const Unit& unit : kUnits) {
    // "7d" rather than "1w": days are how people write windows.
    if (unit.name != "w" && duration_us % unit.us == 0) return fmt::format("{}{}", duration_us / unit.us, unit.name);
  }
  return fmt::format("{}us", duration_us);
}

absl::StatusOr<int64_t> ParseTimeUs(std::string_view text) {
  absl::Time time;
  std::string error;
  const std::string full = std::string(text) + (text.size() == 10 ? "T00:00:00Z" : "");
  if (text.size() <= 64 && absl::ParseTime(absl::RFC3339_full, full, &time, &error) && time != absl::InfiniteFuture() &&
      time != absl::InfinitePast()) {
    return absl::ToUnixMicros(time);
  }
  return absl::InvalidArgumentError(
      fmt::format("'{}' is not a time; expected RFC 3339, such as 2026-11-21T05:21:00Z", text.substr(0, 64)));
}

std::string FormatTimeUs(int64_t time_us) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", absl::FromUnixMicros(time_us), absl::UTCTimeZone());
}

}  // namespace bowerbird::base
