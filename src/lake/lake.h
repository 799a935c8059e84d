#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "lake/compaction.h"
#include "lake/log_follower.h"
#include "lake/redaction.h"
#include "lake/table_store.h"
#include "lake/tables.h"
#include "log/event_log.h"

namespace bowerbird::lake {

/// What a table is at some moment.
struct TableStatus {
  std::string name;
  uint64_t rows = 0, bytes = 0, parts = 0;
  uint64_t lag = 0;      ///< offsets of the log that are not in it yet
  uint64_t missed = 0;   ///< offsets that the log dropped before the table had them
  uint64_t damaged = 0;  ///< parts that whoever read them last found damaged
  int64_t first_us = 0, last_us = 0;
};

/// A table as SQL sees it: which files it is made of now.
struct TableFiles {
  std::string name;
  const Table* table = nullptr;  ///< null: a job's
  std::vector<std::string> paths;
  bool of_one_schema = true;
  bool by_day = true;  ///< they lie in folders date=DAY: a column
  uint64_t rows = 0;
  std::vector<std::string> damaged;  ///< files that were left out, each with the reason
};

/// The tables of an app: each record of the log once, as Parquet that anybody reads.
///
/// Data     FOLDER/TABLE: events, served, items, users, and a table a job. docs/formats/lake.md.
/// Threads  every member from any thread; one writes a table at a time.
/// Errors   Unavailable: the disk, or the plugin is not there.
class Lake {
 public:
  struct Options {
    std::string folder;
    const log::EventLog* log = nullptr;
    const base::Clock* clock = &base::SystemClock::Get();
    CompactionOptions compaction;
    OnStep on_step;
  };
  /// Touches no file: a table is opened when first asked for, so that a lake that nobody uses costs nothing.
  explicit Lake(Options options) : options_(std::move(options)) {}

  /// Every record that was durable when it was called is in its table when it returns. The rows added.
  absl::StatusOr<uint64_t> CatchUp();
  absl::StatusOr<uint64_t> CatchUp(std::string_view table);
  /// Joins small files, takes out what is older than `retention_us` says of its table (none or 0: nothing), and deletes
  /// files that were replaced. What went wrong with single files is returned; it does not stop the rest.
  absl::StatusOr<std::vector<std::string>> Maintain(const std::map<std::string, int64_t>& retention_us);

  /// Changes rows of every table for good (redaction.h): of those that follow the log as `changes` says of each, of
  /// jobs' those of `users` go. The rows changed; what went wrong with single files is added to `problems`.
  absl::StatusOr<uint64_t> Redact(const std::function<RowChanges(const Table& table)>& changes,
                                  std::span<const std::string> users, std::vector<std::string>* problems);
  /// How many rows of each table name somebody: `names` is asked of each record of those that follow the log, files
  /// that are no part any more too. Only tables that have some.
  absl::StatusOr<std::vector<std::pair<std::string, uint64_t>>> RowsNaming(
      const std::string& user, const std::function<bool(const log::Record& record)>& names,
      std::vector<std::string>* problems);

  absl::StatusOr<std::vector<TableStatus>> Status();
  /// Reads every file of every table. The problems found, each naming its file.
  absl::StatusOr<std::vector<std::string>> Verify();
  /// The tables there are, each with the files that are whole.
  absl::StatusOr<std::vector<TableFiles>> Files();

  /// Hands the records of partition [begin, end) of a table that follows the log to `visit`, in order. A file that is
  /// damaged or newer stops it, named in the error.
  using Visit = std::function<absl::Status(const log::Record& record)>;
  absl::Status Read(std::string_view table, uint32_t partition, log::Offset begin, log::Offset end, const Visit& visit);

  /// Copies every table, as its manifest says at some moment of the call, into the new folder `to`; files, which are
  /// never written again, are shared with it where the file system can.
  absl::Status CopyTo(const std::string& to);

  /// A table that a job writes; made when it is not there.
  absl::StatusOr<TableStore*> JobTable(const std::string& name);
  /// A table that follows the log; null: nothing is in it yet.
  absl::StatusOr<TableStore*> LogTable(std::string_view name);
  const std::string& folder() const { return options_.folder; }

 private:
  absl::StatusOr<TableStore*> Open(const std::string& name);
  /// Names of the folders that are tables: those of the log, then those of jobs.
  std::vector<std::string> Names() const;

  const Options options_;
  absl::Mutex mutex_;
  std::map<std::string, std::unique_ptr<TableStore>> stores_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bowerbird::lake
