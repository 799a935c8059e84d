#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::ingest {

/// One row of a file, as text. `values` follow RowSource::columns(); a cell is a list only where the file says so.
struct Row {
  struct Cell {
    bool present = false;
    bool is_list = false;
    std::string text;
    std::vector<std::string> list;
  };
  uint64_t line = 0;  ///< of the file, from 1 (Parquet: the row)
  std::string raw;    ///< for the file of rejected rows
  std::string error;  ///< not empty: the row could not be read, and `cells` is not to be used
  std::vector<Cell> cells;
};

/// A file as rows: CSV, JSON lines or Parquet.
///
/// Threads  one.
/// Errors   Next: only what ends the file for good. A bad row is a Row with `error` set.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual const std::vector<std::string>& columns() const = 0;
  /// False at the end.
  virtual absl::StatusOr<bool> Next(Row* row) = 0;
  /// Begins again: the next row is the first one.
  virtual absl::Status Rewind() = 0;
  /// Share of the file read, 0 to 1.
  virtual double progress() const = 0;
};

/// RFC 4180 with a header line; `separator` is one character or, for MovieLens' older files, "::". Without a header the
/// columns are given.
absl::StatusOr<std::unique_ptr<RowSource>> OpenCsv(const std::string& path, std::string_view separator,
                                                   std::vector<std::string> columns_without_header = {});
/// One JSON object a line. Columns are the keys of the first hundred thousand objects; nested objects are columns
/// "a.b".
absl::StatusOr<std::unique_ptr<RowSource>> OpenJsonLines(const std::string& path);
absl::StatusOr<std::unique_ptr<RowSource>> OpenParquet(const std::string& path);

}  // namespace bowerbird::ingest
