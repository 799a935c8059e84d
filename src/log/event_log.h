#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::log {

/// The topics, each with its own partition count, fixed when the log is created. The order is part of the format: a new
/// one comes last, and a log that was created before it gets it when it is opened.
enum class Topic : uint8_t {
  kEvents = 1,
  kCatalog,
  kUsers,
  kCollections,
  kServed,
  kExposures,
  kOutbox,
  kItemTables,
  kDeadLetters,
  kExperiments
};
inline constexpr Topic kAllTopics[] = {Topic::kEvents,      Topic::kCatalog,    Topic::kUsers,  Topic::kCollections,
                                       Topic::kServed,      Topic::kExposures,  Topic::kOutbox, Topic::kItemTables,
                                       Topic::kDeadLetters, Topic::kExperiments};
std::string_view TopicName(Topic topic);  ///< "events", "catalog", ..., "dead_letters", "experiments"
absl::StatusOr<Topic> TopicFromName(std::string_view name);
/// Topics of which retention keeps the last record of each key, however old: catalog, users, collections,
/// experiments.
bool IsCompacted(Topic topic);
/// Topics that are not about users: catalog, item_tables, experiments. The others have one partition a user partition.
bool HasOnePartition(Topic topic);

/// Position in one partition. Offsets ascend, starting at 0; they are not necessarily dense.
using Offset = uint64_t;

struct AppendRecord {
  Topic topic = Topic::kEvents;
  uint32_t partition = 0;
  std::string key;  ///< at most 256 bytes; what compaction keeps the last of
  /// Empty, in a compacted topic: the key is gone. In Kafka a tombstone.
  std::string value;
};

struct Record {
  Offset offset = 0;
  int64_t append_time_us = 0;  ///< of the log's clock, in whole units of what the implementation can store
  std::string key;
  std::string value;
};

struct ReadResult {
  std::vector<Record> records;
  /// Where the next Read starts: past the last record returned, and past what compaction left empty. Equal to the end
  /// offset when there is nothing more.
  Offset next_offset = 0;
};

struct PartitionStats {
  Topic topic = Topic::kEvents;
  uint32_t partition = 0;
  Offset begin = 0, end = 0;
  uint64_t records = 0;
  std::optional<uint64_t> bytes = 0;  ///< nothing: the store does not say
};

/// A durable, replayable, partitioned log: the truth that everything else is derived from. tests/contract holds the
/// suite that every implementation passes.
///
/// Threads  every member may be called from any thread.
/// Bounds   one record's value at most kValueBytesMax; one batch at most kBatchBytesMax; appends wait when the queue is
/// full. Errors   InvalidArgument: unknown partition, sizes; Unavailable: the store cannot write (disk full, fsync
/// failed): nothing of the
///          batch is acknowledged, reads go on; DataLoss: a stored record does not pass its checksum; OutOfRange: read
///          beyond retention.
class EventLog {
 public:
  static constexpr size_t kValueBytesMax = 4u << 20;
  static constexpr size_t kBatchBytesMax = 64u << 20;
  using AppendDone = std::function<void(absl::StatusOr<std::vector<Offset>>)>;

  virtual ~EventLog() = default;

  virtual uint32_t PartitionCount(Topic topic) const = 0;
  /// Durable when it returns; offsets in the order of `batch`. A batch that is refused leaves nothing. One that fails
  /// on its way leaves all of itself or nothing in RocksLog, and perhaps a part in KafkaLog.
  virtual absl::StatusOr<std::vector<Offset>> Append(std::vector<AppendRecord> batch) = 0;
  /// The same, without holding the caller's thread; `done` is called once, on the log's thread, and must not block.
  virtual void AppendAsync(std::vector<AppendRecord> batch, AppendDone done) = 0;
  /// At most `records_max` records and about `bytes_max` bytes from `offset` on (at least one record if there is one,
  /// unless `records_max` is 0). `offset` may be the end offset: no records. OutOfRange: `offset` is below BeginOffset
  /// (the records were dropped; the reader decides whether to go on at BeginOffset) or beyond EndOffset (it belongs to
  /// another log).
  virtual absl::StatusOr<ReadResult> Read(Topic topic, uint32_t partition, Offset offset, size_t records_max,
                                          size_t bytes_max) const = 0;
  /// First offset still retained, and one past the last durable record: at least one past every record that was
  /// acknowledged or read through this object. Of what others append to a shared log it may know a little later.
  virtual absl::StatusOr<Offset> BeginOffset(Topic topic, uint32_t partition) const = 0;
  virtual absl::StatusOr<Offset> EndOffset(Topic topic, uint32_t partition) const = 0;
  /// Waits until EndOffset > offset in some partition of `topic`, given the end offsets the caller has seen (by
  /// partition; absent ones count as 0); false at the deadline.
  virtual bool WaitForAppend(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const = 0;
  /// Drops what lies below `offset`; the space is given back in the background. Below BeginOffset: nothing to do.
  /// InvalidArgument: beyond EndOffset.
  virtual absl::Status Truncate(Topic topic, uint32_t partition, Offset offset) = 0;
  /// The first offset whose append time is >= time_us (EndOffset when there is none).
  virtual absl::StatusOr<Offset> OffsetAtTime(Topic topic, uint32_t partition, int64_t time_us) const = 0;
  virtual absl::StatusOr<std::vector<PartitionStats>> Stats() const = 0;
  /// How far whoever reads several partitions of a topic, each from `from` on (by partition; one past all: none of it),
  /// best goes with each before any goes further: a store that has the partitions in one file after the other then
  /// opens each file once. By partition, at least `from`, and more in one of them; to most stores it is all the same.
  virtual std::vector<Offset> ReadTogether(Topic topic, std::span<const Offset> from) const;
};

/// Whether keys, values and the batch keep to EventLog's bounds: InvalidArgument. Adds to `bytes` what the batch
/// counts.
absl::Status CheckSizes(const std::vector<AppendRecord>& batch, size_t* bytes);
/// Append by means of AppendAsync.
absl::StatusOr<std::vector<Offset>> AppendAndWait(EventLog* log, std::vector<AppendRecord> batch);

}  // namespace bowerbird::log
