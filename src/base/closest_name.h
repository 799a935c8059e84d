#pragma once

#include <span>
#include <string_view>

namespace bowerbird::base {

/// The candidate that `name` was probably meant to be, for "did you mean": the fewest single-character insertions,
/// deletions, replacements and swaps of neighbours away, the first of equals. Empty when none is close: more than a
/// third of the longer one's length away. Cost  O(name * candidate) time for each; a name over 64 bytes has no closest
/// one.
std::string_view ClosestName(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace bowerbird::base
