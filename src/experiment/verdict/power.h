#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "bowerbird/v1/experiment_results.pb.h"
#include "config/metrics.h"
#include "experiment/metrics/statistics.h"

namespace bowerbird::experiment::verdict {

/// What an experiment over everybody, in two even arms, could tell by a metric: `history` is of all users over `days`,
/// as arm 0 (StatisticsQuestion::of_history), the metric the only one. `effect` is relative and above 0.
///
/// Errors  InvalidArgument: the effect is not above 0, or too small to be ever found. FailedPrecondition: too few
/// users,
///         or the metric is 0 or does not vary.
absl::StatusOr<v1::ExperimentPower> PowerOf(const config::Metric& metric, const metrics::Statistics& history,
                                            uint32_t days, double effect);

}  // namespace bowerbird::experiment::verdict
