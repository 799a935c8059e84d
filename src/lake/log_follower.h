#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "lake/table_store.h"
#include "lake/tables.h"
#include "log/event_log.h"

namespace bowerbird::lake {

/// Offsets [begin, end) of a partition that a file holds.
struct LogRange {
  uint32_t partition = 0;
  log::Offset begin = 0, end = 0;
};

/// Brings a table up to the end of its topic: hour by hour of append time, the partitions one after another within an
/// hour, so that a file holds one range of each.
///
/// Threads  one at a time.
/// Bounds   memory: kBatchBytesMax of rows, one row group in Arrow, and a read of at most kReadBytes a partition.
/// Errors   Unavailable: the disk; DataLoss: a record of the log. What was committed before stays.
class LogFollower {
 public:
  static constexpr int64_t kBatchRows = 16 << 10;
  static constexpr size_t kBatchBytesMax = 32u << 20;
  static constexpr uint64_t kPartRows = 4u << 20;  ///< a file is ended there
  static constexpr size_t kCommitParts = 64;       ///< and so many are committed together
  static constexpr size_t kReadRecords = 4096;
  static constexpr size_t kReadBytes = 512u << 10;

  LogFollower(const Table* table, const log::EventLog* log, TableStore* store)
      : table_(table), log_(log), store_(store) {}

  /// Every record that was durable when it was called is in the table when it returns. The number of rows added.
  absl::StatusOr<uint64_t> CatchUp();
  /// How many offsets the table is behind.
  absl::StatusOr<uint64_t> Lag() const;

 private:
  struct Cursor {
    log::ReadResult read;
    size_t at = 0;  ///< in read
    log::Offset next = 0, end = 0;
    bool exhausted() const { return at == read.records.size() && next >= end; }
  };
  absl::Status Start();
  /// The next record of the partition; null at its end.
  absl::StatusOr<const log::Record*> Peek(uint32_t partition);
  absl::Status WriteHour(int64_t hour);
  absl::Status AddRow(uint32_t partition, const log::Record& record);
  absl::Status Flush();
  absl::Status FinishPart();
  absl::Status CommitParts();

  const Table* const table_;
  const log::EventLog* const log_;
  TableStore* const store_;

  // Of a CatchUp under way.
  std::vector<Cursor> cursors_;
  Manifest manifest_;
  std::unique_ptr<Batch> batch_;
  std::unique_ptr<PartFile> part_;
  std::vector<LogRange> ranges_;
  int64_t first_us_ = 0, last_us_ = 0;
  size_t uncommitted_parts_ = 0;
  uint64_t rows_ = 0, uncommitted_rows_ = 0;
};

/// What a file says of itself.
KeyValues PartMetadata(const Table& table, std::span<const LogRange> ranges);
struct PartDescription {
  uint32_t schema = 0;
  std::vector<LogRange> ranges;
};
/// DataLoss: a file without it. FailedPrecondition: of a newer schema. Both name the file.
absl::StatusOr<PartDescription> DescribePart(const KeyValues& metadata, const std::string& path);

}  // namespace bowerbird::lake
