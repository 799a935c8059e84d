#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lake/lake.h"
#include "lake/sql.h"

/// Jobs: SQL of the folder jobs/, in the words that DuckDB and Spark share, whose result is a table of the lake.
namespace bowerbird::lake {

std::vector<std::string_view> JobNames();

enum class Engine : uint8_t { kDuckDb, kSpark };

struct BatchJob {
  std::string name, day;  ///< "daily_metrics", "2026-11-27"
  Engine engine = Engine::kDuckDb;
  /// The program that runs a Python script with pyspark: "spark-submit", or a python3 of its own environment.
  std::string spark_program = "spark-submit";
  SqlLimits limits{.seconds = 3600, .memory_bytes = uint64_t{4} << 30};
  std::function<bool()> cancelled;
};

struct BatchJobResult {
  std::string table, path;
  uint64_t rows = 0;
  double seconds = 0;
};

/// Runs a job over what the lake holds when it is called, and puts its rows in the place of those that it had for that
/// day: running it again changes nothing that is not in the events.
///
/// Errors  NotFound: no such job; InvalidArgument: no such day; DataLoss: files of the lake are damaged, and numbers
///         without them would be wrong; those of RunSql; Unavailable, with what Spark said: it failed.
absl::StatusOr<BatchJobResult> RunBatchJob(Lake* lake, const BatchJob& job);

/// The job's SQL for a day, as the engine reads it; the same codes.
absl::StatusOr<std::string> JobSql(std::string_view name, std::string_view day, Engine engine);

}  // namespace bowerbird::lake
