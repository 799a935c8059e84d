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
  };
  explicit SqlResultWriter(const Options& options) : options_(options) {}
  void Begin(duckdb_result* result);
  absl::Status Add(duckdb_data_chunk chunk);
  std::string Finish();

 private:
  const Options options_;
  uint64_t rows_ = 0;
  std::string out_;
};

}  // namespace bowerbird::lake
