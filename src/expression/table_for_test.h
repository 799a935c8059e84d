#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/string_map.h"
#include "expression/expression.h"

namespace bowerbird::expression {

/// Rows of owned values, indexed by attribute: what tests, benchmarks and fuzz targets evaluate programs over.
class TestRow final : public Row {
 public:
  explicit TestRow(const std::vector<Value>& values) : values_(values) {}
  ValueView Get(uint32_t attribute) const override {
    return attribute < values_.size() ? View(values_[attribute]) : ValueView();
  }

 private:
  const std::vector<Value>& values_;
};

class TestDictionary final : public Dictionary {
 public:
  uint32_t size() const override { return static_cast<uint32_t>(texts_.size()); }
  std::string_view Text(uint32_t code) const override { return texts_[code]; }
  std::optional<uint32_t> Find(std::string_view text) const override {
    const auto found = codes_.find(text);
    if (found == codes_.end()) return std::nullopt;
    return found->second;
  }
  uint32_t Add(const std::string& text) {
    const auto [position, added] = codes_.try_emplace(text, size());
    if (added) texts_.push_back(text);
    return position->second;
  }

 private:
  std::vector<std::string> texts_;
  base::StringMap<uint32_t> codes_;
};

/// The same rows as columns. A value of another type than the schema's is absent, as in Row::Get.
class TestColumns final : public Columns {
 public:
  TestColumns(const Schema& schema, const std::vector<std::vector<Value>>& rows) {
    for (uint32_t a = 0; a < schema.size(); ++a) columns_.push_back(Build(schema.type(a), a, rows));
  }
  ColumnView Column(uint32_t attribute) const override {
    if (attribute >= columns_.size()) return {};  // an open number: absent in every row
    const Stored& c = *columns_[attribute];
    return {c.type, c.present, c.bools, c.numbers, c.times, c.codes, c.offsets, &c.dictionary};
  }

 private:
  struct Stored {
    Type type;
    std::vector<uint64_t> present, bools;
    std::vector<double> numbers;
    std::vector<int64_t> times;
    std::vector<uint32_t> codes, offsets;
    TestDictionary dictionary;
  };

  static std::unique_ptr<Stored> Build(Type type, uint32_t attribute, const std::vector<std::vector<Value>>& rows) {
    auto column = std::make_unique<Stored>();
    column->type = type;
    const size_t words = (rows.size() + 63) / 64;
    if (type == Type::kBool || type == Type::kNumber || type == Type::kTime) column->present.assign(words, 0);
    if (type == Type::kBool) column->bools.assign(words, 0);
    if (type == Type::kStrings) column->offsets.push_back(0);
    for (size_t r = 0; r < rows.size(); ++r) Append(rows[r][attribute], r, column.get());
    return column;
  }
  static void Append(const Value& value, size_t r, Stored* column) {
    bool present = false;
    const auto as = [&]<typename T>(T otherwise) {
      const T* held = std::get_if<T>(&value);
      present = held != nullptr;
      return present ? *held : otherwise;
    };
    switch (column->type) {
      case Type::kBool:
        if (as(false)) column->bools[r / 64] |= uint64_t{1} << (r % 64);
        break;
      case Type::kNumber:
        column->numbers.push_back(as(0.0));
        break;
      case Type::kTime:
        column->times.push_back(as(TimeUs{0}).value);
        break;
      case Type::kString: {
        const std::string text = as(std::string());
        column->codes.push_back(present ? column->dictionary.Add(text) : kNoCode);
        return;
      }
      case Type::kStrings:
        for (const std::string& text : as(std::vector<std::string>())) {
          column->codes.push_back(column->dictionary.Add(text));
        }
        column->offsets.push_back(static_cast<uint32_t>(column->codes.size()));
        return;
    }
    if (present) column->present[r / 64] |= uint64_t{1} << (r % 64);
  }

  std::vector<std::unique_ptr<Stored>> columns_;
};

}  // namespace bowerbird::expression
