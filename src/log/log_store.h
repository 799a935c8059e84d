#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/event_log.h"
#include "log/segment_table.h"
#include "store/rocks.h"

namespace rocksdb {
class Env;
class WriteBatch;
}  // namespace rocksdb

namespace bowerbird::log {

/// What the log keeps in RocksDB, and nothing of its threads: one column family a topic, holding runs, and the default
/// one, holding the partition counts, the begin offsets and the sealed segments. docs/formats/log.md is the page of its
/// bytes.
///
/// Threads  any; Load before the others.
class LogStore {
 public:
  struct Options {
    std::vector<uint32_t> partitions;  ///< in the order of kAllTopics
    uint64_t segment_bytes = 0;
    store::RocksMemory memory;
    rocksdb::Env* env = nullptr;  ///< null: the machine's own
  };
  /// A log that was created before the last topics were gets them. FailedPrecondition: the log was created with other
  /// partition counts, or by a newer program.
  static absl::StatusOr<std::unique_ptr<LogStore>> Open(const std::string& dir, const Options& options);

  rocksdb::DB& db() const { return rocks_->db(); }
  rocksdb::ColumnFamilyHandle* column(Topic topic) const { return rocks_->column(static_cast<size_t>(topic)); }

  /// Fills `table` from what is stored. DataLoss: an entry is damaged, or a run of an unlisted segment is there.
  absl::Status Load(Topic topic, SegmentTable* table) const;

  void PutSegment(Topic topic, const Segment& segment, rocksdb::WriteBatch* batch) const;
  void DeleteSegment(Topic topic, uint32_t segment, rocksdb::WriteBatch* batch) const;
  void PutBegin(Topic topic, uint32_t partition, Offset begin, rocksdb::WriteBatch* batch) const;
  void PutCompactedThrough(Topic topic, uint32_t segment, rocksdb::WriteBatch* batch) const;
  /// The last segment that compaction has cleaned; 0 and false when none.
  absl::StatusOr<bool> GetCompactedThrough(Topic topic, uint32_t* segment) const;

  /// Writes with fsync. Unavailable: it could not; nothing of the batch counts.
  absl::Status WriteDurably(rocksdb::WriteBatch* batch) const;
  /// Writes what the topic holds in memory to a file of its own, in the background: called when a segment is sealed, so
  /// that files and segments coincide and no file is ever rewritten.
  void FlushInBackground(Topic topic) const;
  /// Writes all that is in memory to files, those of segments `first` to `last` of the topics anew, and drops what is
  /// no part of the store then: what was written over is in no file.
  absl::Status EraseOverwritten(const std::map<Topic, std::pair<uint32_t, uint32_t>>& segments) const;
  /// Gives back the space of a segment of which nothing is retained.
  absl::Status DropSegment(Topic topic, uint32_t segment) const;

 private:
  LogStore() = default;
  absl::Status CheckFormat(const std::vector<uint32_t>& partitions) const;
  absl::Status LoadMeta(Topic topic, uint32_t partitions, std::vector<Offset>* begins,
                        std::deque<Segment>* segments) const;
  absl::Status ScanActive(Topic topic, Segment* active) const;

  std::unique_ptr<store::RocksStore> rocks_;
};

}  // namespace bowerbird::log
