#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/hash.h"
#include "lake/lake.h"

/// SQL over the tables of a lake. DuckDB runs in a process of its own, one a query: `bowerbird-sql`, which opens
/// nothing but the files it was told of, may write none, has no environment, and ends with the query. Whatever a query
/// does to it, the program that asked goes on. docs/decisions/0050-lake.md.
namespace bowerbird::lake {

struct SqlLimits {
  double seconds = 30;
  uint64_t rows = 100'000;
  uint64_t result_bytes = 64u << 20;
  uint64_t memory_bytes = uint64_t{1} << 30;
  uint32_t threads = 2;
};

enum class SqlForm : uint8_t { kJson, kCsv };

struct SqlQuery {
  std::string sql;
  SqlForm form = SqlForm::kJson;
  SqlLimits limits;
  /// Of JSON: what exceeds the limits of rows or bytes is left out, and "truncated" says so, instead of an error.
  bool cut = false;
  /// The views hide who users are (mask.h), whatever the query does with them. Absent: they do not.
  std::optional<base::HashSeed> mask;
  /// Asked every few milliseconds, from the thread that runs the query: true ends it. May be empty.
  std::function<bool()> cancelled;
};

struct SqlAnswer {
  /// JSON: {"columns": [{"name", "type"}], "rows": [[...]]}, of a cut one also "truncated"; CSV: a line of names, then
  /// the rows.
  std::string body;
  /// Files that were left out because they are damaged, each with the reason.
  std::vector<std::string> damaged;
  double seconds = 0;
};

/// Answers a query over the views of `tables`: one of each table's name; of items and users the latest state, beside
/// item_changes and user_changes with every record.
///
/// Cost    some 30 ms to begin with.
/// Errors  InvalidArgument: not one SELECT over the views, or what DuckDB says of it. ResourceExhausted, naming it: a
///         limit of rows, bytes or memory. DeadlineExceeded: that of time. Cancelled. Unavailable: bowerbird-sql is not
///         there.
absl::StatusOr<SqlAnswer> RunSql(const std::vector<TableFiles>& tables, const SqlQuery& query);

/// Writes the result of a query, checked in the same way, to a new Parquet file instead; how many rows it has.
absl::StatusOr<uint64_t> RunSqlTo(const std::vector<TableFiles>& tables, const SqlQuery& query,
                                  const std::string& path);

struct SqlView {
  std::string name, sql;
};
/// What the names of tables stand for in DuckDB, in the order in which they can be made.
std::vector<SqlView> SqlViews(const std::vector<TableFiles>& tables);

}  // namespace bowerbird::lake
