#include "experiment/metrics/measure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "lake/spark.h"

namespace bowerbird::experiment::metrics {
absl::StatusOr<std::vector<lake::TableFiles>> ReadTables(lake::Lake* lake, const std::vector<std::string>& names,
                                                         std::string_view needed, std::string_view nothing) {
  RETURN_IF_ERROR(lake->CatchUp().status());
  ASSIGN_OR_RETURN(std::vector<lake::TableFiles> tables, lake->Files());
  std::erase_if(tables,
                [&](const lake::TableFiles& files) { return std::ranges::find(names, files.name) == names.end(); });
  bool there = needed.empty();
  for (const lake::TableFiles& files : tables) {
    if (!files.damaged.empty()) {
      return absl::DataLossError(
          fmt::format("the numbers would lack what these files hold: {}", fmt::join(files.damaged, "; ")));
    }
    there = there || (files.name == needed && !files.paths.empty());
  }
  if (!there) return absl::FailedPreconditionError(fmt::format("the lake has {}", nothing));
  return tables;
}

absl::StatusOr<std::string> RunQuery(lake::Lake* lake, std::vector<lake::TableFiles> tables, const std::string& sql,
                                     const MeasureOptions& options) {
  lake::SqlQuery query;
  query.sql = sql;
  query.limits = options.limits;
  query.cancelled = options.cancelled;
  std::unique_ptr<lake::SparkRows> rows;
  if (options.engine == lake::Engine::kSpark) {
    ASSIGN_OR_RETURN(rows, lake::RunSpark(*lake, tables, {options.spark_program, query, lake->folder() + "/.spark"}));
    // Spark's rows are read as a table of their own.
    lake::TableFiles answer;
    answer.name = "answer";
    answer.paths = {rows->file};
    answer.by_day = false;
    tables = {answer};
    query.sql = "SELECT * FROM answer";
  }
  ASSIGN_OR_RETURN(lake::SqlAnswer answer, lake::RunSql(tables, query));
  return std::move(answer.body);
}

absl::StatusOr<Statistics> Measure(lake::Lake* lake, const StatisticsQuestion& question,
                                   const MeasureOptions& options) {
  ASSIGN_OR_RETURN(const std::string sql, StatisticsSql(question, options.engine));
  ASSIGN_OR_RETURN(std::vector<lake::TableFiles> tables,
                   ReadTables(lake, {"events", "exposures", "users"}, question.of_history ? "" : "exposures",
                              "no exposures: nobody was shown an arm yet"));
  ASSIGN_OR_RETURN(const std::string answer, RunQuery(lake, std::move(tables), sql, options));
  return ReadStatistics(question, answer);
}

}  // namespace bowerbird::experiment::metrics
