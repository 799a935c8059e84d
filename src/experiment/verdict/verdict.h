#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bowerbird/v1/experiment.pb.h"
#include "bowerbird/v1/experiment_results.pb.h"
#include "config/metrics.h"
#include "experiment/metrics/interleaved.h"
#include "experiment/metrics/statistics.h"

/// What an experiment's numbers come to. Pure: equal input gives equal results.
namespace bowerbird::experiment::verdict {

/// Of every interval and test, two-sided.
inline constexpr double kAlpha = 0.05;
/// Where the always-valid intervals are narrowest: fixed, so that nobody tunes it to what was seen.
inline constexpr double kObservationsTarget = 20'000;
/// Below so many units in an arm nothing is said of it: the intervals hold for large numbers.
inline constexpr uint64_t kUnitsMin = 100;
/// Of a yes or no metric: so many units of an arm must have done it, and not have.
inline constexpr double kSuccessesMin = 10;
/// The first arm is the control, every other one is compared with it. `metrics` are those of the experiment, in its
/// order (MetricsOf), and of the statistics.
///
/// Errors  none: what cannot be said is said to be so, metric by metric.
v1::ExperimentResults Judge(const v1::Experiment& experiment, const std::vector<config::Metric>& metrics,
                            const metrics::Statistics& statistics);

/// Of an interleaved experiment: which arm's items users chose on pages that all arms share. Every number is of a page,
/// none says what the metric would be if everybody had the arm; so there are no lifts, no findings of sameness, and no
/// guardrails.
v1::ExperimentResults JudgeInterleaved(const v1::Experiment& experiment, const std::vector<config::Metric>& metrics,
                                       const metrics::InterleavedStatistics& statistics);

/// Why the experiment should stop by itself: a guardrail is harmed, and the numbers can be trusted. The interval that
/// it goes by is always valid, so that this may be asked as often as one likes.
std::optional<std::string> GuardrailHarm(const v1::ExperimentResults& results);

}  // namespace bowerbird::experiment::verdict
