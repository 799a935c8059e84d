#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "lake/lake.h"
#include "log/event_log.h"
#include "rows/objectives.h"
#include "rows/past_features.h"
#include "rows/row_columns.h"
#include "rows/set_info.h"
#include "signal/definition.h"

namespace bowerbird::rows {

inline constexpr std::string_view kTable = "training_rows";

/// Until when the versions that a request was answered with knew anything: what they were trained on ended there.
/// NotFound: nobody knows such a version any more.
struct VersionTimes {
  std::function<absl::StatusOr<int64_t>(std::string_view version)> snapshot;
  std::function<absl::StatusOr<int64_t>(std::string_view surface, std::string_view version)> ranker;
  /// Of a table of another team: the later of when the version came and as of when its values were true.
  std::function<absl::StatusOr<int64_t>(std::string_view table, std::string_view version)> features;
};

struct BuildOptions {
  /// Days of UTC, by the append times of the requests: [from_us, to_us), whole days.
  int64_t from_us = 0, to_us = 0;
  Negatives negatives;
  /// Asked now and then; an error ends the work and is returned. May be empty.
  std::function<absl::Status()> on_step;
};

struct BuildResult {
  std::vector<SetInfo> sets;  ///< one a day that has rows or refused ones, ascending
  uint64_t events = 0;        ///< records of the events topic looked at
  uint64_t unattributed = 0;  ///< counted events of those users, with an item, that no request explains
};

/// Joins what was served with what came of it: one row a request.
///
/// Rows     features, scores and signals as the served record has them; the user's actions folded again up to the
/// offset
///          that the request saw. A feature of a table (config::RankFeature) that a surface names now and the record
///          does not have is what the table said then (past_features.h). A row is refused, with its reason, where
///          something of it is of after the request: the offset (`future_offset`), a signal's newest event
///          (`future_signal`), the item table (`future_item_table`), the training of the snapshot's model or of the
///          ranker (`future_snapshot`, `future_ranker`), a table of another team (`future_features`), or where nobody
///          knows (`unknown_item_table`, `unknown_snapshot`, `unknown_ranker`, `unknown_features`); and where its user
///          was marked traffic at the request, or for some time until the longest window closed, as was known by then
///          (`marked_user`).
/// Labels   request.h says what counts as seen and to which request an event belongs. A label is null until the log has
///          passed the end of its window, and looks at nothing that the log had later: events appended afterwards
///          change no byte of it.
/// Threads  one.
/// Bounds   memory: what was served from one partition in the days asked for and the longest window around them, with
/// those users' states; row_writer.h,
///          identities.h. Many days of a large log are built one by one.
/// Errors   FailedPrecondition: no objective, or events or answers of the days asked for are gone; those of the log and
///          the lake.
class Builder {
 public:
  /// All outlive it. `log` reaches back as far as there is anything (lake/log_with_history.h); into `lake` the rows go.
  Builder(const config::Config* config, const signal::Set* signals, const Objectives* objectives,
          const log::EventLog* log, lake::Lake* lake, VersionTimes versions, PastFeatures* features);

  /// Replaces what the table has of these days. A table that nobody else writes.
  absl::StatusOr<BuildResult> Build(const BuildOptions& options);

 private:
  const config::Config* const config_;
  const signal::Set* const signals_;
  const Objectives* const objectives_;
  const log::EventLog* const log_;
  lake::Lake* const lake_;
  const VersionTimes versions_;
  PastFeatures* const features_;
};

/// "2026-11-27" of a time.
std::string DayOf(int64_t time_us);

}  // namespace bowerbird::rows
