#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/string_map.h"
#include "expression/value.h"

namespace bowerbird::expression {

/// The attributes that an expression may name, each with its type and a dense index: 0, 1, 2, ... in the order of Add.
/// Programs and rows speak of attributes by that index, so both must come from the same schema.
///
/// Threads  const methods from any thread at once.
class Schema {
 public:
  /// The new attribute's index. AlreadyExists: the name is taken. InvalidArgument: not a name that an expression can
  /// say (IsAttributeName).
  absl::StatusOr<uint32_t> Add(std::string_view name, Type type);
  std::optional<uint32_t> Find(std::string_view name) const;
  /// Opens the names below `prefix` that have as many parts as `rest`: "item.features." and "TABLE.COLUMN". They are
  /// numbers that nobody declared, and what they are is known when a row is read: Program::open().
  void OpenBelow(std::string prefix, std::string rest) { open_.emplace_back(std::move(prefix), std::move(rest)); }
  bool IsOpen(std::string_view name) const;
  /// How the open names look, for messages; empty: there are none.
  std::vector<std::string> OpenForms() const;
  uint32_t size() const { return static_cast<uint32_t>(attributes_.size()); }
  /// attribute < size().
  std::string_view name(uint32_t attribute) const { return attributes_[attribute].name; }
  Type type(uint32_t attribute) const { return attributes_[attribute].type; }

 private:
  struct Attribute {
    std::string name;
    Type type;
  };
  std::vector<Attribute> attributes_;
  base::StringMap<uint32_t> by_name_;
  std::vector<std::pair<std::string, std::string>> open_;  ///< prefix, the form of the rest
};

/// Letters, digits and '_', not starting with a digit, also several of these joined by '.'; at most 128 bytes; none of
/// the language's own words (and, or, not, in, contains, true, false, now).
bool IsAttributeName(std::string_view text);

}  // namespace bowerbird::expression
