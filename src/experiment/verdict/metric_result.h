#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "bowerbird/v1/experiment.pb.h"
#include "bowerbird/v1/experiment_results.pb.h"
#include "config/metrics.h"
#include "experiment/metrics/statistics.h"
#include "experiment/stats/estimate.h"

namespace bowerbird::experiment::verdict {

/// One metric of an experiment, and one of its arms but the first.
struct MetricQuestion {
  const v1::Experiment* experiment = nullptr;
  const config::Metric* metric = nullptr;
  size_t index = 0;  ///< of the metric
  size_t arm = 1;
};

/// What is said of the metric before anything is known of it.
v1::MetricResult NamedResult(const MetricQuestion& question);

/// What is known of an effect at any time, with as many observations as LookAt counts and its boundary narrowest at
/// `observations_target`, and at a fixed horizon. Errors: those of stats::TestAgainstZero and stats::LookAt.
absl::Status SetEffect(const stats::Estimate& effect, double observations, double observations_target,
                       v1::ResultEffect* out);

/// Everything of the metric but what depends on other metrics (p_adjusted, finding) and on days and segments.
v1::MetricResult ResultOf(const MetricQuestion& question, const metrics::Statistics& statistics);

/// The effect by day and by segment, added to `result`.
void AddDays(const MetricQuestion& question, const metrics::Statistics& statistics, v1::MetricResult* result);
void AddSegments(const MetricQuestion& question, const metrics::Statistics& statistics, v1::MetricResult* result);

/// How each of the experiment's arms differs by the arms of others, for the metric that is the `index`-th; p-values
/// adjusted for all.
void AddInteractions(const v1::Experiment& experiment, const config::Metric& metric, size_t index,
                     const metrics::Statistics& statistics, v1::ExperimentResults* results);

/// p_adjusted and finding of all metrics of the results.
void AddFindings(const v1::Experiment& experiment, const std::vector<config::Metric>& metrics,
                 v1::ExperimentResults* results);

}  // namespace bowerbird::experiment::verdict
