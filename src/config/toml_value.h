#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/problems.h"

namespace bowerbird::config {

struct TomlMember;

/// A TOML value with the line it stands on: the rest of the module reads this, so that one file includes the TOML
/// library.
struct TomlValue {
  enum class Kind : uint8_t { kString, kInteger, kFloat, kBool, kDate, kArray, kTable };
  Kind kind = Kind::kTable;
  uint32_t line = 0;
  std::string text;
  int64_t integer = 0;
  double number = 0;  ///< integers too
  bool boolean = false;
  std::vector<TomlValue> elements;
  std::vector<TomlMember> members;  ///< in the order of the file

  /// Null when the table has no such key.
  const TomlMember* Find(std::string_view key) const;
};

struct TomlMember {
  std::string key;
  uint32_t line = 0;  ///< of the key, which for a table is its header
  TomlValue value;
};

/// The document's root table. Duplicate keys and tables are reported and left out (the first one counts), so that the
/// rest is read; any other syntax error is reported and `complete` is false: then nothing can be said about what the
/// text lacks.
struct TomlDocument {
  bool complete = false;
  TomlValue root;
};

/// Bounds  texts over 1 MiB, lines with over 128 dots, values nested over 16 deep and more than 64 duplicates are
/// refused.
TomlDocument ParseToml(std::string_view text, Problems* problems);

/// How a message names a value: `string "abc"`, `integer 5`, `a table`.
std::string Describe(const TomlValue& value);

/// `key` as it is written in a dotted path: bare, or quoted when it must be.
std::string PathKey(std::string_view key);
/// `path` and `key` joined by a dot; `key` alone when the path is empty.
std::string JoinPath(std::string_view path, std::string_view key);

}  // namespace bowerbird::config
