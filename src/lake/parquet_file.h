#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lake/columns.h"

/// Parquet files, written and read by Arrow. Arrow stays behind a plugin, as docs/decisions/0005-parquet-plugin.md
/// says: nothing but rows in the C data interface, texts and statuses goes through this door.
namespace bowerbird::lake {

using KeyValues = std::vector<std::pair<std::string, std::string>>;

/// Errors  Unavailable: the disk is full or fails. A writer that is not closed leaves a file without an end.
class ParquetWriter {
 public:
  virtual ~ParquetWriter() = default;
  /// Takes `rows` over, also when it fails.
  virtual absl::Status Write(ArrowArray* rows) = 0;
  /// Writes the end of the file, with `metadata` in it. Not synced.
  virtual absl::Status Close(const KeyValues& metadata) = 0;
};

/// A run of rows of a file that can be read by itself.
struct RowGroup {
  int64_t rows = 0;
  /// The least and the greatest value of each column that was asked for; nothing: the file does not say.
  std::vector<std::optional<std::pair<int64_t, int64_t>>> bounds;
};

/// Errors  DataLoss: damaged, which every page's checksum tells, or no Parquet file; its message names the file.
class ParquetReader {
 public:
  virtual ~ParquetReader() = default;
  virtual const KeyValues& metadata() const = 0;
  virtual int64_t rows() const = 0;
  /// The next rows, which the caller releases, in the columns asked for; false after the last.
  virtual absl::StatusOr<bool> Next(ArrowArray* rows) = 0;
  /// The row groups, in the order of their rows, with the bounds of `columns`: integers or times.
  virtual absl::StatusOr<std::vector<RowGroup>> Groups(const std::vector<std::string>& columns) const = 0;
  /// Next goes on with the first row of this group, and ends with its last. OutOfRange: the file has fewer.
  virtual absl::Status SelectGroup(size_t group) = 0;
};

/// A Parquet file that somebody else wrote, in the lake's kinds: numbers of any kind and bools come as kDouble, texts
/// as kText, lists of numbers (of a fixed length, too) as kList of kFloat; what is none of these as kStruct without
/// children, and its rows are null.
struct ForeignParquet {
  std::vector<Field> fields;
  std::vector<std::string> types;  ///< of each field, as the file has it
  std::unique_ptr<ParquetReader> reader;
};

/// The plugin's door.
class ParquetFiles {
 public:
  virtual ~ParquetFiles() = default;
  /// Takes `schema` over. Fixed-width columns named in `ascending` are stored as differences.
  virtual absl::StatusOr<std::unique_ptr<ParquetWriter>> Create(const std::string& path, ArrowSchema* schema,
                                                                const std::vector<std::string>& ascending) = 0;
  /// Rows come in the columns of `schema`, which is taken over: null where the file lacks one; what else it has is
  /// left out. DataLoss also when a column is there with another type. NotFound: no such file.
  virtual absl::StatusOr<std::unique_ptr<ParquetReader>> Open(const std::string& path, ArrowSchema* schema) = 0;
  /// NotFound: no such file.
  virtual absl::StatusOr<ForeignParquet> OpenForeign(const std::string& path) = 0;
};

/// The plugin, loaded when first asked for. Unavailable: it is not beside the program.
absl::StatusOr<ParquetFiles*> LoadParquetFiles();

absl::StatusOr<std::unique_ptr<ParquetWriter>> CreateParquet(const std::string& path, std::span<const Field> fields);
absl::StatusOr<std::unique_ptr<ParquetReader>> OpenParquet(const std::string& path, std::span<const Field> fields);
absl::StatusOr<ForeignParquet> OpenForeignParquet(const std::string& path);

}  // namespace bowerbird::lake
