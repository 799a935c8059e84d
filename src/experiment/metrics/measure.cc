#include "experiment/metrics/measure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/status_macros.h"
#include "lake/spark.h"

namespace bowerbird::experiment::metrics {
namespace {

/// The tables that the query reads, none of them damaged.
absl::StatusOr<std::vector<lake::TableFiles>> TablesOf(lake::Lake* lake, bool of_history) {
  RETURN_IF_ERROR(lake->CatchUp().status());
  ASSIGN_OR_RETURN(std::vector<lake::TableFiles> tables, lake->Files());
  const auto is_read = [](const lake::TableFiles& files) {
    return files.name == "events" || files.name == "exposures" || files.name == "users";
  };
  std::erase_if(tables, [&](const lake::TableFiles& files) { return !is_read(files); });
  bool exposed = of_history;
  for (const lake::TableFiles& files : tables) {
    if (!files.damaged.empty()) {
      return absl::DataLossError(
          fmt::format("the numbers would lack what these files hold: {}", fmt::join(files.damaged, "; ")));
    }
    exposed = exposed || (files.name == "exposures" && !files.paths.empty());
  }
  if (!exposed) return absl::FailedPreconditionError("the lake has no exposures: nobody was shown an arm yet");
  return tables;
}

}  // namespace

absl::StatusOr<Statistics> Measure(lake::Lake* lake, const StatisticsQuestion& question,
                                   const MeasureOptions& options) {
  ASSIGN_OR_RETURN(const std::string sql, StatisticsSql(question, options.engine));
  ASSIGN_OR_RETURN(std::vector<lake::TableFiles> tables, TablesOf(lake, question.of_history));
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
  ASSIGN_OR_RETURN(const lake::SqlAnswer answer, lake::RunSql(tables, query));
  return ReadStatistics(question, answer.body);
}

}  // namespace bowerbird::experiment::metrics
