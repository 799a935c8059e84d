#pragma once

#include <functional>
#include <string>

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

}  // namespace bowerbird::experiment::metrics
