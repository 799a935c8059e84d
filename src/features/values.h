#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "catalog/keys.h"
#include "features/table.h"
#include "features/tables.h"

namespace bowerbird::features {

/// A column of a table, as configs and requests name it: "item.features.TABLE.COLUMN", "user.features.TABLE.COLUMN".
struct ColumnName {
  Entity entity = Entity::kUser;
  std::string table, column;
  /// Nothing for another text.
  static std::optional<ColumnName> Parse(std::string_view text);
};

/// How a number of tables is written: a column, or dot(COLUMN,COLUMN), the product of two of vectors.
struct NumberName {
  std::string name;
  std::string other;  ///< empty: no product
  /// Of canonical text, without spaces. Nothing for another text.
  static std::optional<NumberName> Parse(std::string_view text);
};

/// What the newest versions of a set of tables say of one user and of items, by numbers that are named first: a column
/// of numbers, or the product of two columns of vectors. One place for whoever serves, explains, compares and makes
/// training rows, so that all of them see the same bits.
///
/// Absent   is a NaN: no such table or column, or of the other entity; no row for the id; a null; a number of a column
///          of vectors, a product of anything else than two vectors of one length; a number that is not finite.
/// Threads  one.
/// Bounds   rows of kItemsMax items are remembered.
/// Cost     Of: two hashes of the id and some five places of mapped memory for each table that is named, the first
///          time an item is asked for; then a look-up.
class Values {
 public:
  static constexpr size_t kItemsMax = 1 << 16;

  Values(std::shared_ptr<const TableSet> tables, const catalog::KeyHasher& hasher)
      : tables_(std::move(tables)), hasher_(hasher) {}

  /// Whom the numbers of users are of; empty: nobody.
  void SetUser(std::string_view id);
  /// The index of a number; `other` is the second vector of a product, else empty. The same number has the same index.
  uint32_t Name(std::string_view name, std::string_view other);
  size_t size() const { return numbers_.size(); }
  /// Whether the number depends on the item.
  bool OfItem(uint32_t number) const { return numbers_[number].of_item; }
  /// `key` is that of the item `id`. Both empty: no item.
  double Of(uint32_t number, catalog::ItemKey key, std::string_view id);
  /// The same as the ranker takes it; NaN also for what is no finite float.
  float FloatOf(uint32_t number, catalog::ItemKey key, std::string_view id);
  /// A column of numbers of items, for whoever reads many rows of it; nothing: the number is something else, or absent.
  struct Column {
    std::string table;
    const Version* version = nullptr;
    size_t column = 0;
  };
  std::optional<Column> ColumnOf(uint32_t number) const;
  /// The tables that named numbers are in, by name, as far as the set has them.
  void ForEachTable(absl::FunctionRef<void(const NamedTable& table)> visit) const;

 private:
  struct Source {
    const NamedTable* named = nullptr;  ///< null: absent
    Entity entity = Entity::kUser;
    size_t column = 0;
    uint32_t slot = 0;  ///< of the table in user_tables_ or item_tables_
  };
  struct Number {
    std::string name, other;
    Source first, second;
    bool of_item = false;
  };
  Source Find(std::string_view name);
  void ReadUser();
  /// Index of the item's first row in item_rows_.
  size_t RowsOf(catalog::ItemKey key, std::string_view id);
  const std::optional<Table::Row>& RowOf(const Source& source, size_t item_rows) const {
    return source.entity == Entity::kUser ? user_rows_[source.slot] : item_rows_[item_rows + source.slot];
  }

  const std::shared_ptr<const TableSet> tables_;
  const catalog::KeyHasher hasher_;
  std::string user_;
  std::vector<Number> numbers_;
  std::vector<const NamedTable*> user_tables_, item_tables_;
  std::vector<std::optional<Table::Row>> user_rows_;  ///< by user_tables_
  std::vector<std::optional<Table::Row>> item_rows_;  ///< {items asked for, item_tables_}
  absl::flat_hash_map<uint64_t, size_t> rows_of_;     ///< by item key: where its rows begin
};

}  // namespace bowerbird::features
