#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "catalog/keys.h"
#include "store/file.h"

namespace bowerbird::features {

enum class Entity : uint8_t { kUser, kItem };
std::string_view EntityName(Entity entity);  ///< "user", "item"
std::optional<Entity> ParseEntity(std::string_view text);

struct Column {
  std::string name;
  uint32_t dim = 0;  ///< 0: a number; else a vector of so many
};

/// The two hashes of an id by which its row is found and told from that of another id whose first one is the same.
struct RowKey {
  uint64_t key = 0, check = 0;
  static RowKey Of(const catalog::KeyHasher& hasher, std::string_view id);
};

/// Where things are in a row: key and check, a number of 8 bytes each, vectors of 4 bytes a value, a bit a column that
/// says null; a multiple of 8 bytes.
struct RowLayout {
  explicit RowLayout(std::span<const Column> columns);
  std::vector<uint32_t> offsets;  ///< of each column
  uint32_t nulls = 0;             ///< of the first byte of the bits
  uint32_t bytes = 0;
};

/// One version of a table, mapped: docs/formats/features.md.
///
/// Threads  immutable.
/// Errors   Open: DataLoss, with what does not fit; the registry has checked the file's checksum before.
class Table {
 public:
  static constexpr const char* kFile = "rows.bin";
  static constexpr uint32_t kColumnsMax = 1024, kDimMax = 65'536;

  static absl::StatusOr<std::shared_ptr<const Table>> Open(const std::string& path);
  /// The same over a file's bytes, at a multiple of 8 in memory, which outlive the table.
  static absl::StatusOr<std::shared_ptr<const Table>> Over(std::string_view bytes);

  Entity entity() const { return entity_; }
  std::span<const Column> columns() const { return columns_; }
  uint64_t rows() const { return rows_; }
  int64_t as_of_us() const { return as_of_us_; }

  /// A view of one row; empty where the table has none for the id.
  class Row {
   public:
    /// Null, or the number of a column of numbers.
    std::optional<double> Number(size_t column) const;
    /// Empty for null; of a column of vectors.
    std::span<const float> Vector(size_t column) const;

   private:
    friend class Table;
    Row(const Table* table, const char* bytes) : table_(table), bytes_(bytes) {}
    bool IsNull(size_t column) const;
    const Table* table_;
    const char* bytes_;
  };
  /// The row of an id, valid as long as the table. Cost: some five places of mapped memory, whatever the size.
  std::optional<Row> Find(const RowKey& id) const;
  /// Writes the table without some rows as another file. Unavailable: the disk.
  absl::Status CopyWithout(std::span<const RowKey> left_out, const std::string& path) const;

 private:
  Table() = default;
  absl::Status Read(std::string_view bytes);
  uint64_t KeyAt(uint64_t row) const;

  store::MappedFile file_;
  Entity entity_ = Entity::kUser;
  std::vector<Column> columns_;
  std::unique_ptr<RowLayout> layout_;
  uint64_t rows_ = 0;
  int64_t as_of_us_ = 0;
  const char* first_ = nullptr;
};

/// What a file begins with; the rows follow, by key, at a multiple of 8 bytes.
std::string EncodeHeader(Entity entity, int64_t as_of_us, uint64_t rows, std::span<const Column> columns);

}  // namespace bowerbird::features
