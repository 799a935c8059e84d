#pragma once

#include <memory>
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

/// Errors  DataLoss: damaged, which every page's checksum tells, or no Parquet file; its message names the file.
class ParquetReader {
 public:
  virtual ~ParquetReader() = default;
  virtual const KeyValues& metadata() const = 0;
  virtual int64_t rows() const = 0;
  /// The next rows, which the caller releases, in the columns asked for; false after the last.
  virtual absl::StatusOr<bool> Next(ArrowArray* rows) = 0;
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
};

/// The plugin, loaded when first asked for. Unavailable: it is not beside the program.
absl::StatusOr<ParquetFiles*> LoadParquetFiles();

absl::StatusOr<std::unique_ptr<ParquetWriter>> CreateParquet(const std::string& path, std::span<const Field> fields);
absl::StatusOr<std::unique_ptr<ParquetReader>> OpenParquet(const std::string& path, std::span<const Field> fields);

}  // namespace bowerbird::lake
