#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/metrics.h"

namespace bowerbird::experiment::metrics {

/// The parts of the query that one metric adds, as columns that begin with a comma: values of an event, gathered over a
/// person's day, then over a person, then cut, then over an arm.
struct MetricColumns {
  std::string counted;  ///< from persons p: instants that its events are held against
  std::string member;   ///< the same, of counted c
  std::string event;    ///< from events e and members m
  std::string sum;      ///< from told t, by person
  std::string value;    ///< from counted c and sums s
  std::string cap;      ///< from raw_values v
  std::string cut;      ///< from raw_values v and caps k
  std::string moments;  ///< from person_values v: an arm's
  std::string day;      ///< from events e and members m, by person and day; empty: it is not followed by day
  std::string of_day;   ///< from person_days d and caps k: an arm's day; empty as `day` is
  std::string none;     ///< as many nulls as an arm has columns
  std::string tables;   ///< of a quantile of events: tables qINDEX_values and qINDEX_persons, after person_values
};

/// Columns of an answer that one metric takes: n, cut, total, largest, means, comoments over n.
size_t ColumnCount(const config::Metric& metric);
/// Values of a unit: 4 of a ratio, else 2. JointMoments::Variable says which.
size_t VariableCount(const config::Metric& metric);

/// Of the metric that is the `index`-th of the query. `covariate_days`: the longest of all metrics; `end`: before which
/// events count, as a literal; `member_events`: where they come from.
///
/// Errors  InvalidArgument: a condition or a field that cannot be said in SQL, which no config that was read has.
absl::StatusOr<MetricColumns> ColumnsOf(const config::Metric& metric, size_t index, uint32_t covariate_days,
                                        std::string_view end, std::string_view member_events);

/// What an event e counts for a metric, as an expression: its amount, or 0. Errors as above.
absl::StatusOr<std::string> CountedAmount(const config::Metric& metric);

/// Count, means and comoments over n of these values of a unit, each an expression, beside what stands in front of
/// them.
std::string MomentColumns(std::string_view count, std::string_view in_front, const std::vector<std::string>& values);

/// Which bucket of about 1% width a value lies in: ascending with it.
std::string BucketOf(std::string_view value);

/// The event types that any of the metrics counts; none: every type.
std::vector<std::string> TypesOf(const std::vector<config::Metric>& metrics);

}  // namespace bowerbird::experiment::metrics
