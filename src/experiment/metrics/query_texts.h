#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "bowerbird/v1/experiment.pb.h"
#include "config/metrics.h"
#include "experiment/metrics/statistics_sql.h"

/// What the queries of experiments are put together from.
namespace bowerbird::experiment::metrics {

inline constexpr int64_t kDayUs = 86'400'000'000;

/// "2026-11-28" and "2026-11-28 10:39:24.000000", UTC.
std::string DayText(int64_t time_us);
std::string TimeText(int64_t time_us);
/// The arm that a column names, by its index; -1: none of the experiment.
std::string ArmIndex(const v1::Experiment& experiment, std::string_view column);
/// A condition that events e are of the types that the metrics count; empty: every type.
std::string OfTypes(const std::vector<config::Metric>& metrics);
/// InvalidArgument: fewer than two arms, or an end before the start. FailedPrecondition: not started.
absl::Status CheckQuestion(const StatisticsQuestion& question);

}  // namespace bowerbird::experiment::metrics
