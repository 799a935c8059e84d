#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "expression/schema.h"

namespace bowerbird::config {

/// Which events a metric counts, and by how much each.
struct MetricSource {
  std::vector<std::string> on;          ///< event types; none: every type
  std::string where;                    ///< an expression over `fields`; empty: every event of the types
  std::string of = "1";                 ///< "1": each event counts 1; else a number of `fields`
  expression::Schema fields;            ///< "event.NAME" and "item.NAME": what events are stored with
  std::vector<std::string> attributes;  ///< those of them that are attributes of the event, not fields of every event
};

/// [metrics.NAME]: what experiments are judged by. What each kind says of a user is in
/// docs/guides/experiment-results.md.
struct Metric {
  enum class Kind : uint8_t { kMean, kProportion, kRatio, kQuantile, kRetention };

  std::string name;
  Kind kind = Kind::kMean;
  MetricSource source;       ///< ratio: the numerator
  MetricSource denominator;  ///< ratio
  double q = 0.5;            ///< quantile
  bool per_event = false;    ///< quantile: of the values of all events; else of users' sums
  uint32_t from_day = 0;     ///< retention: days since the first exposure, both ends in
  uint32_t to_day = 0;
  bool up_is_better = true;
  double effect_min = 0.01;      ///< the smallest relative change that would matter
  double winsorize = 0.999;      ///< values beyond this quantile of those that are not 0 are cut to it; 1: none
  uint32_t covariate_days = 14;  ///< days before the first exposure that CUPED looks at; 0: no CUPED
  std::string owner, description;
};

std::string_view MetricKindName(Metric::Kind kind);

/// The metrics of a bowerbird.toml. InvalidArgument: every problem of the whole text, one a line, as Parse says them.
absl::StatusOr<std::vector<Metric>> ParseMetrics(std::string_view text, std::string_view file);

}  // namespace bowerbird::config
