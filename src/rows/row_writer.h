#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lake/columns.h"
#include "lake/table_store.h"

namespace bowerbird::rows {

/// Gathers rows by the hour in which their requests were appended, and writes each hour's as parts of the table.
///
/// Threads  one, which holds store->writing().
/// Bounds   memory: kBytesMax of rows over all hours, and kPartBytesMax of one.
class RowWriter {
 public:
  static constexpr size_t kPartBytesMax = 64u << 20;
  static constexpr size_t kBytesMax = 256u << 20;

  /// Both outlive it.
  RowWriter(lake::TableStore* store, const std::vector<lake::Field>* fields) : store_(store), fields_(fields) {}

  /// Where a row that was appended then is to be added; Added follows.
  lake::Batch* BatchOf(int64_t append_time_us);
  absl::Status Added();
  /// Writes what is left, and puts all of it in the place of what the table has from `from_us` until `to_us`, whole
  /// days. The parts written are returned.
  absl::StatusOr<std::vector<lake::Part>> Commit(int64_t from_us, int64_t to_us);

 private:
  struct Hour {
    std::unique_ptr<lake::Batch> batch;
    int64_t first_us = 0, last_us = 0;
    size_t bytes = 0;  ///< as of when it was last looked at
  };
  absl::Status Write(int64_t hour);

  lake::TableStore* const store_;
  const std::vector<lake::Field>* const fields_;
  std::map<int64_t, Hour> hours_;
  int64_t last_hour_ = 0;
  uint64_t sequence_ = 0;
  std::vector<lake::Part> parts_;
};

}  // namespace bowerbird::rows
