#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lake/log_follower.h"
#include "lake/manifest.h"
#include "lake/parquet_file.h"
#include "lake/table_store.h"
#include "lake/tables.h"
#include "log/event_log.h"

namespace bowerbird::lake {

/// What a file of a table that follows the log holds: small, so that every file's can be in memory.
struct PartIndex {
  uint64_t id = 0;                    ///< of this process: another one for each file
  std::string part, path;             ///< Part::path, and where that is
  int64_t first_us = 0, last_us = 0;  ///< append times
  bool dense = false;                 ///< it has a row for every offset of its ranges
  std::vector<LogRange> spans;        ///< by partition and offset; ranges that follow one another are one
};

/// Reads the file whole, and what it says of itself. DataLoss: damaged or gone; FailedPrecondition: of a newer schema.
absl::StatusOr<std::shared_ptr<const PartIndex>> IndexPart(const Table& table, const TableStore& store,
                                                           const Part& part);

/// Where in a file which records are.
///
/// Threads  immutable.
class PartLayout {
 public:
  /// Errors as IndexPart, and NotFound: the file is gone.
  static absl::StatusOr<std::shared_ptr<const PartLayout>> Read(const Table& table, const PartIndex& index);

  /// In the order of their rows.
  std::span<const LogRange> ranges() const { return ranges_; }
  /// Numbers of the ranges of one partition, by offset.
  std::span<const uint32_t> RangesOf(uint32_t partition) const;
  /// Row groups [first, second) that may have records of the range from `offset` on: exactly those that have, where the
  /// file is dense.
  std::pair<size_t, size_t> GroupsOf(uint32_t range, log::Offset offset) const;
  /// Whether the row group may have records of the partition that were appended at `time_us` or later.
  bool MayHave(size_t group, uint32_t partition, int64_t time_us) const;
  bool dense() const { return dense_; }
  /// What it takes in memory.
  size_t bytes() const;

 private:
  PartLayout() = default;
  bool dense_ = false;
  std::vector<LogRange> ranges_;
  std::vector<uint64_t> range_rows_;    ///< the first row of each range, if dense
  std::vector<uint32_t> by_partition_;  ///< numbers of ranges, by partition and offset
  std::vector<RowGroup> groups_;        ///< with the bounds of partition and append time
  std::vector<uint64_t> group_rows_;    ///< the first row of each group, and one past the last
};

}  // namespace bowerbird::lake
