#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "catalog/keys.h"
#include "features/table.h"
#include "features/tables.h"

namespace bowerbird::features {

/// Null, a number or a vector.
using TestValue = std::variant<std::monostate, double, std::vector<float>>;
using TestRows = std::vector<std::pair<std::string, std::vector<TestValue>>>;

/// A table in memory, without a file; it stays until the program ends.
inline std::shared_ptr<const Table> MakeTable(const catalog::KeyHasher& hasher, Entity entity,
                                              const std::vector<Column>& columns, TestRows rows, int64_t as_of_us = 0) {
  static auto& kept = *new std::deque<std::vector<uint64_t>>();
  std::ranges::sort(rows, {}, [&](const auto& row) { return RowKey::Of(hasher, row.first).key; });
  const RowLayout layout(columns);
  std::string bytes = EncodeHeader(entity, as_of_us, rows.size(), columns);
  for (const auto& [id, values] : rows) {
    std::string row(layout.bytes, '\0');
    const RowKey key = RowKey::Of(hasher, id);
    std::memcpy(row.data(), &key, sizeof(key));
    for (size_t c = 0; c < columns.size(); ++c) {
      if (const auto* number = std::get_if<double>(&values[c])) {
        std::memcpy(row.data() + layout.offsets[c], number, sizeof(double));
      } else if (const auto* vector = std::get_if<std::vector<float>>(&values[c])) {
        std::memcpy(row.data() + layout.offsets[c], vector->data(), vector->size() * sizeof(float));
      } else {
        row[layout.nulls + c / 8] = static_cast<char>(row[layout.nulls + c / 8] | 1 << (c % 8));
      }
    }
    bytes += row;
  }
  std::vector<uint64_t>& words = kept.emplace_back((bytes.size() + 7) / 8);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  auto table = Table::Over({reinterpret_cast<const char*>(words.data()), bytes.size()});
  BOWERBIRD_CHECK(table.ok());
  return *table;
}

/// A table of one version, "000001" unless said.
inline NamedTable Named(std::string name, std::shared_ptr<const Table> table, std::string version = "000001",
                        int64_t created_us = 0) {
  return {std::move(name), {{std::move(version), created_us, std::move(table)}}};
}
inline std::shared_ptr<const TableSet> SetOf(std::vector<NamedTable> tables) {
  auto set = std::make_shared<TableSet>();
  std::ranges::sort(tables, {}, &NamedTable::name);
  set->tables = std::move(tables);
  return set;
}

}  // namespace bowerbird::features
