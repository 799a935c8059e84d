#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace bowerbird::base {

/// "7d", "90s", "1.5h", "50ms", "200us" -> microseconds. A number and one unit of us, ms, s, m, h, d, w.
/// InvalidArgument: anything else, or a value beyond int64. Negative values parse; callers judge them.
absl::StatusOr<int64_t> ParseDurationUs(std::string_view text);

/// The shortest of the forms above that is exact.
std::string FormatDurationUs(int64_t duration_us);

/// RFC 3339, "2026-11-21T05:21:00Z", "...00.123456+01:00", or a date alone (midnight UTC) -> microseconds since the
/// epoch.
absl::StatusOr<int64_t> ParseTimeUs(std::string_view text);

/// RFC 3339 in UTC with as many digits of a second as are needed.
std::string FormatTimeUs(int64_t time_us);

}  // namespace bowerbird::base
