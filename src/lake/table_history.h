#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "lake/group_cache.h"
#include "lake/manifest.h"
#include "lake/part_layout.h"
#include "lake/table_store.h"
#include "lake/tables.h"
#include "log/event_log.h"

namespace bowerbird::lake {

/// What a table has of a partition as one stretch of history without a gap, by offset: up to the offset that the table
/// has reached, and back to where the first record is missing, for whatever reason: the log had dropped it before the
/// table had it, the table's retention has taken it out, or its file is damaged. What lies before is not reached.
///
/// Data     of the newest manifest, at every call. Files are replaced meanwhile (compaction.h, redaction.h): what was
///          read goes on in their successors.
/// Threads  any.
/// Bounds   memory: the cache's, some 2 KB a file of the table, and a row group a thread that reads.
/// Cost     a file is checked whole before it counts, once, the newest first and no further back than is asked for.
/// Errors   OutOfRange: not reached; DataLoss: a file was found damaged while it was read, or the manifest is of
/// another
///          log; Unavailable: the disk. All name the file.
class TableHistory {
 public:
  /// All outlive it.
  TableHistory(const Table* table, TableStore* store, const log::EventLog* log, GroupCache* cache)
      : table_(*table), store_(*store), log_(*log), cache_(*cache) {}

  // `until` is where the log's own records begin. Each looks at what is below alone.

  /// Where the stretch that ends at `until` begins; `until`: the table has nothing of it.
  absl::StatusOr<log::Offset> Begin(uint32_t partition, log::Offset until);
  /// Adds records from result->next_offset on, which is below `until`, and moves it past the last one or to `until`.
  absl::Status Read(uint32_t partition, log::Offset until, size_t records_max, size_t bytes_max,
                    log::ReadResult* result);
  /// The first offset whose append time is `time_us` or later; `until`: none.
  absl::StatusOr<log::Offset> OffsetAtTime(uint32_t partition, log::Offset until, int64_t time_us);
  /// EventLog::ReadTogether; `from` and `until` by partition.
  std::vector<log::Offset> ReadTogether(std::span<const log::Offset> from, std::span<const log::Offset> until);

 private:
  using Index = std::shared_ptr<const PartIndex>;
  using Layout = std::shared_ptr<const PartLayout>;

  /// A file's records of a partition.
  struct Link {
    log::Offset begin = 0, end = 0;
    size_t part = 0;  ///< number in the manifest
  };
  struct Chain {
    log::Offset begin = 0, end = 0;     ///< of the stretch
    std::vector<Link> links;            ///< the stretch, the newest first
    std::map<log::Offset, Link> loose;  ///< files before a gap, or before what was not looked at yet, by end
  };
  /// A place in a file.
  struct Place {
    Index index;
    log::Offset end = 0;  ///< of the file's records that follow
    std::shared_ptr<const Manifest> manifest;
  };

  /// A Read under way.
  struct Reading {
    size_t records_max = 0, bytes_max = 0, bytes = 0;
    log::ReadResult* result = nullptr;
    bool full() const {
      return !result->records.empty() && (result->records.size() >= records_max || bytes >= bytes_max);
    }
  };

  /// Takes in another manifest, if there is one.
  absl::Status Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Looks at the next older file.
  absl::Status Examine() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Whether the stretch reaches what the log has.
  bool Meets(uint32_t partition, log::Offset until) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// The file with the offset; null: the stretch does not have it, as far as was looked.
  const Link* LinkAt(uint32_t partition, log::Offset offset) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Place> Find(uint32_t partition, log::Offset offset, log::Offset until);
  absl::Status NotReached(uint32_t partition, log::Offset offset, log::Offset until) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Where in the table to begin to look for a time; nothing: all of it is older.
  absl::StatusOr<std::optional<log::Offset>> FirstPlaceOf(uint32_t partition, log::Offset until, int64_t time_us);
  /// Whether a failure is that of a file which has a successor by now. If not, and the file is damaged, nothing of it
  /// counts any more.
  bool Replaced(const Place& place, const absl::Status& failure);

  absl::StatusOr<Layout> LayoutOf(const Index& index);
  absl::StatusOr<GroupCache::Group> GroupOf(const Index& index, size_t group);
  /// Read, of one file.
  absl::Status ReadPart(const Place& place, uint32_t partition, log::Offset until, Reading* reading);
  absl::StatusOr<std::optional<log::Offset>> OffsetAtTimeIn(const Place& place, uint32_t partition, log::Offset begin,
                                                            int64_t time_us);

  const Table& table_;
  TableStore& store_;
  const log::EventLog& log_;
  GroupCache& cache_;

  absl::Mutex mutex_;
  std::shared_ptr<const Manifest> manifest_ ABSL_GUARDED_BY(mutex_);
  size_t unexamined_ ABSL_GUARDED_BY(mutex_) = 0;  ///< parts of the manifest that were not looked at
  /// By number of parts: the newest append time of so many of the oldest ones.
  std::vector<int64_t> newest_us_ ABSL_GUARDED_BY(mutex_);
  std::vector<Index> parts_ ABSL_GUARDED_BY(mutex_);   ///< as in the manifest; null: not looked at, or damaged
  std::vector<Chain> chains_ ABSL_GUARDED_BY(mutex_);  ///< by partition
  std::unordered_map<std::string, Index> indexes_ ABSL_GUARDED_BY(mutex_);  ///< by a part's path
  std::map<std::string, std::string> damaged_ ABSL_GUARDED_BY(mutex_);      ///< paths, each with what is wrong

  absl::Mutex layouts_mutex_;
  std::list<std::pair<uint64_t, Layout>> layouts_ ABSL_GUARDED_BY(layouts_mutex_);  ///< the latest first
  size_t layout_bytes_ ABSL_GUARDED_BY(layouts_mutex_) = 0;
};

}  // namespace bowerbird::lake
