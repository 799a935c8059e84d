#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/event_log.h"

namespace bowerbird::log {

/// What Verify found.
struct VerifyReport {
  uint64_t records = 0, bytes = 0;
  /// At most kProblemsMax, each naming topic, partition and offset; then the count goes on.
  std::vector<std::string> problems;
  uint64_t problem_count = 0;
  static constexpr size_t kProblemsMax = 100;
  bool ok() const { return problem_count == 0; }
};

/// A log as its owner sees it: beside what readers and writers need, what keeps it running.
///
/// Threads  as EventLog, but for StopAppends.
class ManagedLog : public EventLog {
 public:
  /// Refuses appends from now on as Unavailable, and waits until every one that was begun has called back. Reads go on.
  /// Not for two threads at once; again does nothing.
  virtual void StopAppends() = 0;
  /// Whether so much waits to be made durable that appends may soon wait for their turn.
  virtual bool crowded() const = 0;
  /// Whether what the log stands on answers. OK as far as is known. A log may be unhealthy and still be read.
  virtual absl::Status Health() const = 0;

  /// How long records stay at least, by topic; topics that are not named are kept for ever. The last record of each key
  /// of a compacted topic stays, however old.
  virtual absl::Status SetRetention(std::map<Topic, int64_t> retention_us) = 0;
  /// Drops what is older than that. OK where whoever stores the records does so by itself.
  virtual absl::Status ApplyRetention(int64_t now_us) = 0;

  /// Another key and value in the place of what the record at `offset` has.
  struct Replacement {
    Offset offset = 0;
    std::string key, value;
  };
  /// Replaces records of one partition for good: offsets and append times stay. `replacements` ascend by offset, and
  /// each record is there, or below BeginOffset, where files may hold it still. From the newest to the oldest, a
  /// bounded number in one step, so that after a crash all beyond some offset are replaced and none below. What is read
  /// meanwhile is a record as it was or as it will be. Unimplemented: this log's records cannot be changed.
  virtual absl::Status Rewrite(Topic topic, uint32_t partition, std::span<const Replacement> replacements) = 0;
  /// No file holds any more what Rewrite replaced since the log was opened; with `everything`, since ever.
  /// Cost: writes anew the files of the topics from the first such record to the last.
  virtual absl::Status EraseReplaced(bool everything) = 0;
  /// Whether Rewrite works.
  virtual bool rewrites() const = 0;
  /// Every key and value that memory and files hold, those that were replaced too: not records, but what a topic's are
  /// stored in. Nothing where that is elsewhere.
  virtual absl::Status VisitStored(
      const std::function<void(Topic topic, std::string_view key, std::string_view value)>& visit) const = 0;

  /// Whether the records are in the app's folder: then they belong into its copies.
  virtual bool in_folder() const = 0;
  /// A copy of the log in the new folder `to`, with at least everything that was acknowledged before the call. Appends
  /// go on meanwhile. Unimplemented: not in_folder().
  virtual absl::Status Checkpoint(const std::string& to) const = 0;
  /// Reads everything that is retained and checks what can be checked of it. Appends may go on.
  virtual absl::StatusOr<VerifyReport> Verify() const = 0;

  /// Since the log was opened.
  struct Counters {
    uint64_t records = 0;     ///< made durable
    uint64_t groups = 0;      ///< of batches that became durable together
    uint64_t failures = 0;    ///< groups that did not
    uint64_t recoveries = 0;  ///< from a store or producer that had to be opened again
  };
  virtual Counters counters() const = 0;
  /// What else there is to watch, of this kind of log alone.
  struct Gauge {
    std::string name, help;
    double value = 0;
  };
  virtual std::vector<Gauge> gauges() const { return {}; }
};

}  // namespace bowerbird::log
