#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "expression/expression.h"

namespace bowerbird::expression {

/// The SQL that reads an attribute: a column, or a path into one.
using SqlColumn = std::function<std::string(uint32_t attribute)>;

/// A program as a condition in the words that DuckDB and Spark share: true for exactly the rows for which Evaluate is,
/// and never null.
///
/// Errors  InvalidArgument: it names `now`, or numbers beyond its schema, which a table of events has not.
absl::StatusOr<std::string> ToSql(const Program& program, const SqlColumn& column);

/// A text as a literal that both engines read as these bytes: Spark takes a backslash for the begin of an escape.
std::string SqlText(std::string_view text);
/// A finite number as a literal of type DOUBLE.
std::string SqlNumber(double number);

}  // namespace bowerbird::expression
