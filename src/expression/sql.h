#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "expression/expression.h"

namespace bowerbird::expression {

/// The SQL that reads an attribute: a column, or a path into one.
using SqlColumn = std::function<std::string(uint32_t attribute)>;

/// A condition in the words that DuckDB and Spark share: true for exactly the rows for which the program of the same
/// text is, and never null. Nothing when it is refused; then `error` says why: what Compile refuses, and `now`, which a
/// table has not.
std::optional<std::string> ToSql(std::string_view text, const Schema& schema, const SqlColumn& column,
                                 CompileError* error);

/// A text as a literal that both engines read as these bytes: Spark takes a backslash for the begin of an escape, and a
/// quote that is written twice for the end of one literal and the begin of the next.
std::string SqlText(std::string_view text);
/// A finite number as a literal of type DOUBLE.
std::string SqlNumber(double number);

}  // namespace bowerbird::expression
