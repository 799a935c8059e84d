#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bowerbird::config {

/// What was left out by a mask, in the file's own words.
struct Masked {
  std::string table;  ///< the header that the line belongs to, without brackets; empty at the top
  std::string key;    ///< as written before '='; empty for a header
};

/// Lines of a TOML text that can be blanked one statement at a time, so that a parser which stops at the first
/// duplicate can go on behind it. Blanking keeps the numbers of all lines.
class MaskableText {
 public:
  explicit MaskableText(std::string_view text);
  /// Blanks the table header on `line` (from 1) and its body: everything before the next header.
  Masked MaskTable(uint32_t line);
  /// Blanks the `key = value` that starts on `line`, with the further lines of its value.
  Masked MaskKey(uint32_t line);
  std::string Text() const;

 private:
  std::string TableAbove(uint32_t line) const;
  std::vector<std::string> lines_;
};

}  // namespace bowerbird::config
