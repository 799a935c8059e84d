#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"

namespace bowerbird::config {

/// Collects what is wrong with one file.
class Problems {
 public:
  explicit Problems(std::string_view file) : file_(file) {}
  /// Control characters are made printable, so that every problem is one line.
  void Add(uint32_t line, std::string_view key, std::string_view found, std::string_view expected);
  size_t size() const { return problems_.size(); }
  /// All of them by line; those of one line in the order of Add.
  std::vector<Problem> Take();

 private:
  std::string file_;
  std::vector<Problem> problems_;
};

/// `"abc"`, cut when long: how messages quote what the file says.
std::string Quote(std::string_view text);

/// `an event type (did you mean "click"?): click, closeup, ...`, for a reference that names none of `names`.
std::string OneOf(std::string_view what, std::string_view found, std::span<const std::string_view> names);

}  // namespace bowerbird::config
