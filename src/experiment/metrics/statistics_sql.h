#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bowerbird/v1/experiment.pb.h"
#include "config/config.h"
#include "config/metrics.h"
#include "experiment/metrics/statistics.h"
#include "lake/batch_job.h"

namespace bowerbird::experiment::metrics {

/// What is asked of the lake.
struct StatisticsQuestion {
  const v1::Experiment* experiment = nullptr;
  const config::Config* config = nullptr;
  std::vector<config::Metric> metrics;  ///< in the order in which they are answered
  int64_t end_us = 0;                   ///< exposures and events before it count
  /// Effects by it, too: "surface", of the first exposure; or a user attribute of type string as it was then. Empty:
  /// none.
  std::string segment;
  std::vector<std::string> others;  ///< experiments whose arms are crossed with this one's
  /// Everybody who did something from the experiment's start on counts as exposed to its first arm by that: what the
  /// metrics are without any experiment, for power.
  bool of_history = false;
};

/// The metrics that an experiment names, of those of the config. InvalidArgument: it has none of a name, or an
/// experiment names one twice.
absl::StatusOr<std::vector<config::Metric>> MetricsOf(const v1::Experiment& experiment,
                                                      const std::vector<config::Metric>& declared);

/// One query in the words that DuckDB and Spark share (jobs/experiment_statistics.sql).
///
/// Errors  InvalidArgument: fewer than two arms, not started, an end before the start, or a segment that is none.
absl::StatusOr<std::string> StatisticsSql(const StatisticsQuestion& question, lake::Engine engine);

/// The answer to StatisticsSql, as RunSql gives it in JSON. Internal: it is something else.
absl::StatusOr<Statistics> ReadStatistics(const StatisticsQuestion& question, std::string_view json);

}  // namespace bowerbird::experiment::metrics
