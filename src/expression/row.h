#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "expression/value.h"

namespace bowerbird::expression {

/// One attribute's value without owning it; monostate = absent. A set may be given as strings or as views of them.
using ValueView = std::variant<std::monostate, bool, double, std::string_view, TimeUs, std::span<const std::string>,
                               std::span<const std::string_view>>;

/// `value` must outlive the view.
ValueView View(const Value& value);

/// Where Program::Evaluate reads one row from. Only attributes in Program::attributes() are asked for.
class Row {
 public:
  virtual ~Row() = default;
  /// `attribute` is the schema's index. What the view points to stays valid until the next call of Get on this row. A
  /// value of another type than the schema says counts as absent.
  virtual ValueView Get(uint32_t attribute) const = 0;
};

}  // namespace bowerbird::expression
