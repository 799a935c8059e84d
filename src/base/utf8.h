#pragma once

#include <cstddef>
#include <string_view>

namespace bowerbird::base {

/// Length of the valid UTF-8 sequence that starts at `at` (< text.size()), 1 to 4, or 0 where there is none. Overlong
/// forms, surrogates and values above U+10FFFF are not valid.
size_t Utf8Length(std::string_view text, size_t at);

/// Position of the first byte at or after `from` that starts no valid sequence; npos when there is none.
/// Cost  8 bytes a step over ASCII.
size_t FindInvalidUtf8(std::string_view text, size_t from = 0);

inline bool IsValidUtf8(std::string_view text) { return FindInvalidUtf8(text) == std::string_view::npos; }

}  // namespace bowerbird::base
