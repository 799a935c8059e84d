#pragma once

#include "bowerbird/v1/experiment.pb.h"
#include "bowerbird/v1/experiment_results.pb.h"
#include "config/metrics.h"
#include "experiment/metrics/statistics.h"

namespace bowerbird::experiment::verdict {

/// Whether the numbers can be trusted: every check that found something, and the sample ratio in any case. Looks at
/// results->metrics, too.
void AddHealth(const v1::Experiment& experiment, const std::vector<config::Metric>& metrics,
               const metrics::Statistics& statistics, v1::ExperimentResults* results);

}  // namespace bowerbird::experiment::verdict
