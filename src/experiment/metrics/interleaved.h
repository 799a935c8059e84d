#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "config/metrics.h"
#include "experiment/metrics/measure.h"
#include "experiment/metrics/statistics_sql.h"
#include "lake/batch_job.h"
#include "lake/lake.h"

/// What users chose where an experiment's arms share their pages.
namespace bowerbird::experiment::metrics {

/// Over persons: of each the mean over their pages of what the items of the control and of another arm earned.
struct PairedMoments {
  uint64_t persons = 0, pages = 0;
  double control = 0, treatment = 0;                                    ///< means
  double control_variance = 0, treatment_variance = 0, covariance = 0;  ///< sums of squares over `persons`
  uint64_t persons_for = 0, persons_against = 0;                        ///< for whom the arm earned more, or less
};

struct InterleavedStatistics {
  int64_t begin_us = 0, end_us = 0;  ///< pages in between
  size_t arms = 0;
  std::map<std::pair<size_t, size_t>, PairedMoments> earned;  ///< by metric (of those that IsCredit) and arm, from 1
  std::map<size_t, PairedMoments> placed;                     ///< items a page, by arm, from 1
  uint64_t marked = 0;                                        ///< persons who are left out: no persons
};

/// Whether an item can earn it: means and proportions, of which a page has done something with an item or not.
bool IsCredit(const config::Metric& metric);

/// One query in the words that DuckDB and Spark share (jobs/experiment_interleaved.sql). What the items of one arm
/// earned on a page is cut at the quantile `winsorize` of the metric.
///
/// Errors  those of StatisticsSql; InvalidArgument: a segment or others, which are not asked of pages.
absl::StatusOr<std::string> InterleavedSql(const StatisticsQuestion& question, lake::Engine engine);
/// The answer to it, as RunSql gives it in JSON. Internal: it is something else.
absl::StatusOr<InterleavedStatistics> ReadInterleaved(const StatisticsQuestion& question, std::string_view json);

/// Counts what the lake holds when it is called. Errors: those of Measure, of served answers in the place of exposures.
absl::StatusOr<InterleavedStatistics> MeasureInterleaved(lake::Lake* lake, const StatisticsQuestion& question,
                                                         const MeasureOptions& options);

}  // namespace bowerbird::experiment::metrics
