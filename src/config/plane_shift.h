#pragma once

#include <string>
#include <string_view>

namespace bowerbird::config {

/// The TOML library (3.3) runs into undefined behaviour when a character from U+0080 to U+FEFF stands where white space
/// may (https://github.com/marzer/tomlplusplus, is_non_ascii_horizontal_whitespace). So the text is handed to it with
/// all of these moved to the private plane U+F0000.., and what it gives back is moved home. Invalid UTF-8 stays as it
/// is, for the library to refuse.

/// `text` with U+0080..U+FEFF moved to U+F0080..U+FFEFF. A byte order mark at the beginning is left out.
std::string ShiftUp(std::string_view text);
/// The inverse.
std::string ShiftDown(std::string_view text);
/// True for a text with a character of the private plane of its own, which ShiftDown would change.
bool HasShifted(std::string_view text);

}  // namespace bowerbird::config
