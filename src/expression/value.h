#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bowerbird::expression {

/// The types an attribute can have. `kStrings` is a set of strings (tags, categories); a time is microseconds since the
/// epoch.
enum class Type : uint8_t { kBool, kNumber, kString, kTime, kStrings };

/// "bool", "number", "string", "time", "strings": the names used in bowerbird.toml and in messages.
std::string_view TypeName(Type type);

struct TimeUs {
  int64_t value = 0;
  friend auto operator<=>(const TimeUs&, const TimeUs&) = default;
};

/// One attribute's value; monostate = absent. An absent attribute makes every comparison false, and its negation true.
using Value = std::variant<std::monostate, bool, double, std::string, TimeUs, std::vector<std::string>>;

}  // namespace bowerbird::expression
