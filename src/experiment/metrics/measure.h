#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "experiment/metrics/statistics.h"
#include "experiment/metrics/statistics_sql.h"
#include "lake/lake.h"
#include "lake/sql.h"

namespace bowerbird::experiment::metrics {

struct MeasureOptions {
  lake::Engine engine = lake::Engine::kDuckDb;
  std::string spark_program = "spark-submit";
  lake::SqlLimits limits{.seconds = 600, .memory_bytes = uint64_t{4} << 30};
  std::function<bool()> cancelled;
};

/// Counts what the lake holds when it is called.
///
/// Cost    one query; `./dev bench experiment`.
/// Errors  those of StatisticsSql and RunSql. FailedPrecondition: the lake has no exposures. DataLoss: files of the
/// lake
///         are damaged, and numbers without them would be wrong. Unavailable, with what Spark said: it failed.
absl::StatusOr<Statistics> Measure(lake::Lake* lake, const StatisticsQuestion& question, const MeasureOptions& options);

/// The tables of the lake of these names, as far as they are there. DataLoss: files of them are damaged.
/// FailedPrecondition, with `nothing`: `needed` has no rows.
absl::StatusOr<std::vector<lake::TableFiles>> ReadTables(lake::Lake* lake, const std::vector<std::string>& names,
                                                         std::string_view needed, std::string_view nothing);
/// The answer of the engine in JSON.
absl::StatusOr<std::string> RunQuery(lake::Lake* lake, std::vector<lake::TableFiles> tables, const std::string& sql,
                                     const MeasureOptions& options);

}  // namespace bowerbird::experiment::metrics
