#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "app/app.h"
#include "rows/bounds.h"
#include "rows/set_info.h"

namespace bowerbird::app {

struct RowsOptions {
  /// Days of UTC, [from_us, to_us). 0: from the first day of which no closed set is there, until the log's last day.
  int64_t from_us = 0, to_us = 0;
  double negatives = 1;
  rows::Correction correction = rows::Correction::kNone;
};

struct RowsReport {
  std::vector<rows::SetInfo> sets;
  uint64_t events = 0, unattributed = 0;
  double seconds = 0;

  /// Rows that knew something of after their request.
  uint64_t leaks() const;
  std::string ToJson() const;
};

/// Builds the sets of training rows of these days, and publishes what each is as artifact rows/DAY. One job at a time
/// with the app's others. FailedPrecondition: no objectives, or nothing was served.
absl::StatusOr<RowsReport> BuildRows(App& app, const RowsOptions& options);

/// A set as it was last built, and what it is held against.
struct SetReport {
  rows::SetInfo info;
  std::vector<rows::Bound> bounds;  ///< learned from the sets before it; empty: too few of them
  /// Those that do not hold, in words.
  std::vector<std::string> Refusals() const;
};
/// Of every day that the table has rows of, ascending.
absl::StatusOr<std::vector<SetReport>> ReportRows(App& app);
std::string ReportJson(const std::vector<SetReport>& sets);

struct RankerOptions {
  std::string surface = "home";
  int64_t from_us = 0, to_us = 0;  ///< days; 0: all there are
  bool promote = false;
  std::function<void(const std::string&)> progress;  ///< may be empty
};

/// Trains a ranker from the sets of these days and publishes it as artifact ranker/SURFACE: on the first eight tenths
/// of the examples by time, ended by the next, judged by the last. FailedPrecondition: nothing to learn from, a set
/// that is outside of its bounds (named), or sets that do not fit each other.
absl::StatusOr<JobResult> TrainRanker(App& app, const RankerOptions& options);

}  // namespace bowerbird::app
