#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "lake/table_store.h"
#include "lake/tables.h"

namespace bowerbird::lake {

struct CompactionOptions {
  /// An hour that ended this long ago gets no more parts, but for what a stopped server left in the log.
  int64_t settled_us = 300'000'000;
  /// Parts of an hour that is not over are joined when there are so many.
  uint32_t parts_max = 16;
  /// Parts with more rows are left as they are.
  uint64_t rows_max = 2u << 20;
};

/// Joins the small parts of each hour, in their order. Readers have the former parts or the joined one, as the manifest
/// they read says; the former stay on disk for TableStore::kRetiredUs. A part that is damaged, or of a newer schema, is
/// left as it is, and said in `problems`. How many parts were joined.
///
/// Threads  one at a time with whoever else writes the table.
/// Cost     memory of one row group.
absl::StatusOr<uint64_t> CompactTable(const Table& table, TableStore* store, const CompactionOptions& options,
                                      std::vector<std::string>* problems);

/// Takes parts of which everything was appended before `before_us` out of the table. How many.
absl::StatusOr<uint64_t> RetireBefore(TableStore* store, int64_t before_us);

}  // namespace bowerbird::lake
