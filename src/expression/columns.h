#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "expression/value.h"

namespace bowerbird::expression {

/// The distinct strings of a column. A literal is looked up once a call, so that rows are compared by code.
///
/// Threads  const methods from any thread at once.
class Dictionary {
 public:
  virtual ~Dictionary() = default;
  /// Codes are 0 .. size() - 1, no two with the same text.
  virtual uint32_t size() const = 0;
  virtual std::string_view Text(uint32_t code) const = 0;
  virtual std::optional<uint32_t> Find(std::string_view text) const = 0;
};

/// In `ColumnView::codes` of a string column: the row has no value. Any code not below Dictionary::size() is read as
/// this one.
inline constexpr uint32_t kNoCode = std::numeric_limits<uint32_t>::max();

/// One attribute of all rows; nothing is owned. A default ColumnView is a column that is absent in every row, for an
/// attribute that the rows were stored without. Bit r of a bitmap is bit r % 64 of word r / 64; bits past the last row
/// do not matter.
struct ColumnView {
  Type type = Type::kBool;            ///< another type than the schema's: read as absent in every row
  std::span<const uint64_t> present;  ///< bool, number, time: bitmap of the rows with a value; empty = all have one
  std::span<const uint64_t> bools;    ///< bool: bitmap of the values
  std::span<const double> numbers;    ///< number: one a row; NaN is absent too
  std::span<const int64_t> times;     ///< time: microseconds, one a row
  std::span<const uint32_t> codes;  ///< string: one a row, kNoCode = absent. strings: the rows' codes one after another
  std::span<const uint32_t>
      offsets;  ///< strings: row r has codes[offsets[r] .. offsets[r + 1]); rows + 1 of them, ascending
  const Dictionary* dictionary = nullptr;  ///< string, strings: of `codes`; must not be null where `codes` is not empty
  bool constant = false;                   ///< number: `numbers` holds one value, which is that of every row
};

/// Where Program::EvaluateColumns reads many rows from.
class Columns {
 public:
  virtual ~Columns() = default;
  /// `attribute` is the schema's index. Asked once a call for each use of the attribute, only for
  /// Program::attributes(). A column must cover every row that the caller evaluates: a shorter one is read as absent in
  /// every row.
  virtual ColumnView Column(uint32_t attribute) const = 0;
};

}  // namespace bowerbird::expression
