#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lake/lake.h"
#include "lake/sql.h"

namespace bowerbird::lake {

struct SparkQuery {
  /// The program that runs a Python script with pyspark: "spark-submit", or a python3 of its own environment.
  std::string program;
  SqlQuery query;      ///< in the words that DuckDB and Spark share; its form and limits but for time are not asked
  std::string folder;  ///< of ours, made when it is not there: for the script and what Spark writes
};

/// What a query came to: one Parquet file in a folder that goes with this object.
struct SparkRows {
  explicit SparkRows(std::string folder_) : folder(std::move(folder_)) {}
  ~SparkRows();
  SparkRows(const SparkRows&) = delete;
  SparkRows& operator=(const SparkRows&) = delete;

  const std::string folder;
  std::string file;
  uint64_t rows = 0;
};

/// Runs a query over files of the lake on Spark.
///
/// Errors  Unavailable, with what Spark said: it failed. DeadlineExceeded, Cancelled as of RunSql.
absl::StatusOr<std::unique_ptr<SparkRows>> RunSpark(const Lake& lake, const std::vector<TableFiles>& tables,
                                                    const SparkQuery& query);

}  // namespace bowerbird::lake
