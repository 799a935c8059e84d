#pragma once

#include <duckdb.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace bowerbird::lake {

/// DuckDB's rows as text.
///
/// Threads  one.
/// Errors   ResourceExhausted, naming it: a limit; InvalidArgument: a type that has no text here.
class SqlResultWriter {
 public:
  struct Options {
    bool csv = false;
    uint64_t rows_max = 0, bytes_max = 0;
    bool cut = false;  ///< beyond a limit rows are left out, and nothing is an error; of JSON alone
  };
  explicit SqlResultWriter(const Options& options) : options_(options) {}
  void Begin(duckdb_result* result);
  absl::Status Add(duckdb_data_chunk chunk);
  /// Rows were left out: no more need be added.
  bool truncated() const { return truncated_; }
  std::string Finish();

 private:
  const Options options_;
  uint64_t rows_ = 0;
  bool truncated_ = false;
  std::string out_;
};

}  // namespace bowerbird::lake
