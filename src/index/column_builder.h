#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/string_map.h"
#include "expression/columns.h"
#include "expression/row.h"
#include "index/section_writer.h"

namespace bowerbird::index {

/// Collects one attribute of the items, row after row, and writes its sections.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(expression::Type type) : type_(type) {}
  /// The next row's value, of the column's type or absent.
  void Add(const expression::ValueView& value);
  /// Sorts the dictionary. Nothing can be added afterwards.
  void Write(uint32_t index, SectionWriter* writer);
  /// Of a time column: one a row, 0 where absent.
  const std::vector<int64_t>& times() const { return times_; }

 private:
  uint32_t Code(std::string_view text);
  void WriteTexts(uint32_t index, SectionWriter* writer);

  const expression::Type type_;
  uint32_t rows_ = 0;
  std::vector<uint64_t> present_, bools_;
  std::vector<double> numbers_;
  std::vector<int64_t> times_;
  std::vector<uint32_t> codes_, offsets_ = {0};
  base::StringMap<uint32_t> dictionary_;
};

}  // namespace bowerbird::index
