#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "catalog/keys.h"
#include "features/table.h"

namespace bowerbird::features {

/// What to make a table of.
struct Source {
  std::string file;  ///< Parquet
  Entity entity = Entity::kUser;
  std::string key_column;            ///< of strings: ids
  std::vector<std::string> columns;  ///< numbers, bools, or lists of numbers of one length; empty: all but the key
  int64_t as_of_us = 0;              ///< when the values were true
};

/// Rows of a source in memory at once, however many the file has: it is read once for each such part.
inline constexpr uint64_t kBuildBytes = uint64_t{256} << 20;

struct BuildReport {
  uint64_t rows = 0, passes = 0, bytes = 0;
  std::vector<Column> columns;
};

/// Writes `source` as a table to `path`. Nothing is at `path` after an error but what is to be deleted.
///
/// Errors   InvalidArgument, naming the column, the row (from 1) and what was found: no such column, another type, a
///          missing, too long or repeated id, vectors of several lengths. NotFound: no such file. DataLoss: no Parquet
///          file. Unavailable: the disk, or `cancelled` (may be empty) said so.
absl::StatusOr<BuildReport> BuildTable(const Source& source, const catalog::KeyHasher& hasher, const std::string& path,
                                       uint64_t memory_bytes, const std::function<bool()>& cancelled);

}  // namespace bowerbird::features
