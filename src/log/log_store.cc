#include "log/log_store.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/write_batch.h>

#include <limits>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "fmt/format.h"
#include "log/bytes.h"
#include "log/run.h"

namespace bowerbird::log {
namespace {

constexpr uint32_t kFormatVersion = 1;
constexpr std::string_view kFormatKey = "format";
// First letters of the default column's other keys.
constexpr char kBegin = 'b', kCompacted = 'c', kSegment = 's';
constexpr size_t kBlockBytes = 64 << 10;

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

std::string MetaPrefix(char kind, Topic topic) { return {kind, static_cast<char>(topic)}; }

std::string MetaKey(char kind, Topic topic, uint32_t number) {
  std::string key = MetaPrefix(kind, topic);
  AppendBig32(&key, number);
  return key;
}

std::string SegmentStart(uint32_t segment) { return EncodeRunKey({segment, 0, 0}); }
/// Past every run of the segment.
std::string SegmentEnd(uint32_t segment) {
  constexpr uint32_t kMax = std::numeric_limits<uint32_t>::max();
  return EncodeRunKey({segment, kMax, std::numeric_limits<Offset>::max()});
}

std::string EncodeFormat(const std::vector<uint32_t>& partitions) {
  std::string body;
  AppendLittle(&body, kFormatVersion);
  for (size_t i = 0; i < partitions.size(); ++i) {
    body.push_back(static_cast<char>(kAllTopics[i]));
    AppendLittle(&body, partitions[i]);
  }
  std::string bytes;
  AppendLittle(&bytes, base::Hash64(body));
  return bytes + body;
}

// The options that make RocksDB a log: docs/decisions/0002-embedded-log-layout.md has the reasons and the figures.
rocksdb::DBOptions DatabaseOptions(const LogStore::Options& options) {
  rocksdb::DBOptions db = store::RocksDbOptions(options.memory);
  if (options.env != nullptr) db.env = options.env;
  db.max_total_wal_size = 4 * options.segment_bytes;
  db.allow_concurrent_memtable_write = false;                             // one writer; needed for insert hints
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;  // DurableMark tells damage from a torn tail
  db.bytes_per_sync = 1 << 20;
  return db;
}

rocksdb::ColumnFamilyOptions RunColumnOptions(const LogStore::Options& options) {
  rocksdb::ColumnFamilyOptions column =
      store::RocksColumnOptions(options.memory, 2 * options.segment_bytes, kBlockBytes);
  column.max_write_buffer_number = 4;
  // A run is inserted where its partition's last one went, without a search from the top.
  column.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(kRunKeyPrefixBytes));
  // Two levels: a sealed segment's file does not overlap any other, so its way to the last level is a change of the
  // manifest.
  column.compaction_style = rocksdb::kCompactionStyleLevel;
  column.num_levels = 2;
  column.level0_file_num_compaction_trigger = 4;
  column.level0_slowdown_writes_trigger = 64;
  column.level0_stop_writes_trigger = 128;
  column.soft_pending_compaction_bytes_limit = 0;
  column.hard_pending_compaction_bytes_limit = 0;
  column.target_file_size_base = 2 * options.segment_bytes;
  column.ttl = 0;
  column.periodic_compaction_seconds = 0;
  return column;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogStore>> LogStore::Open(const std::string& dir, const Options& options) {
  std::vector<store::RocksStore::Column> columns;
  columns.push_back({rocksdb::kDefaultColumnFamilyName, store::RocksColumnOptions(options.memory, 1 << 20)});
  for (const Topic topic : kAllTopics) columns.push_back({std::string(TopicName(topic)), RunColumnOptions(options)});
  std::unique_ptr<LogStore> store(new LogStore());
  ASSIGN_OR_RETURN(store->rocks_, store::RocksStore::Open(dir, DatabaseOptions(options), columns));
  RETURN_IF_ERROR(store->CheckFormat(options.partitions));
  return store;
}

absl::Status LogStore::CheckFormat(const std::vector<uint32_t>& partitions) const {
  std::string stored;
  const rocksdb::Status got = db().Get({}, ToSlice(kFormatKey), &stored);
  if (got.IsNotFound()) {
    rocksdb::WriteBatch batch;
    batch.Put(ToSlice(kFormatKey), EncodeFormat(partitions));
    return WriteDurably(&batch);
  }
  if (!got.ok()) return store::FromRocks(got, "read the log's format");
  std::string_view bytes = stored;
  uint64_t checksum = 0;
  uint32_t version = 0;
  if (!TakeLittle(&bytes, &checksum) || checksum != base::Hash64(bytes) || !TakeLittle(&bytes, &version)) {
    return absl::DataLossError("the log's format entry does not pass its checksum");
  }
  if (version != kFormatVersion) {
    return absl::FailedPreconditionError(
        fmt::format("the log has format {}; this program reads and writes {}", version, kFormatVersion));
  }
  for (size_t i = 0; i < partitions.size(); ++i) {
    if (bytes.empty() && i > 0) {
      rocksdb::WriteBatch batch;
      batch.Put(ToSlice(kFormatKey), EncodeFormat(partitions));
      return WriteDurably(&batch);
    }
    uint8_t topic = 0;
    uint32_t count = 0;
    if (!TakeLittle(&bytes, &topic) || topic != static_cast<uint8_t>(kAllTopics[i]) || !TakeLittle(&bytes, &count)) {
      return absl::FailedPreconditionError("the log has other topics than this program");
    }
    if (count != partitions[i]) {
      return absl::FailedPreconditionError(
          fmt::format("topic {} has {} partitions since the log was created, and {} are asked for; the number is fixed "
                      "(a user's partition follows from it)",
                      TopicName(kAllTopics[i]), count, partitions[i]));
    }
  }
  if (!bytes.empty()) return absl::FailedPreconditionError("the log has topics that this program does not know");
  return absl::OkStatus();
}

absl::Status LogStore::Load(Topic topic, SegmentTable* table) const {
  const uint32_t partitions = table->partitions();
  std::vector<Offset> begins(partitions, 0);
  std::deque<Segment> segments;
  RETURN_IF_ERROR(LoadMeta(topic, partitions, &begins, &segments));
  Segment active;
  active.parts.resize(partitions);
  if (!segments.empty()) {
    active.id = segments.back().id + 1;
    active.last_append_time_us = segments.back().last_append_time_us;
    for (uint32_t p = 0; p < partitions; ++p)
      active.parts[p].begin = active.parts[p].end = segments.back().parts[p].end;
  }
  RETURN_IF_ERROR(ScanActive(topic, &active));
  segments.push_back(std::move(active));
  table->Reset(std::move(segments), std::move(begins));
  return absl::OkStatus();
}

absl::Status LogStore::LoadMeta(Topic topic, uint32_t partitions, std::vector<Offset>* begins,
                                std::deque<Segment>* segments) const {
  const std::unique_ptr<rocksdb::Iterator> it(db().NewIterator({}));
  const std::string begin_prefix = MetaPrefix(kBegin, topic);
  for (it->Seek(begin_prefix); it->Valid() && it->key().starts_with(begin_prefix); it->Next()) {
    const uint32_t partition = it->key().size() == 6 ? LoadBig32(it->key().data() + 2) : partitions;
    if (partition >= partitions || it->value().size() != 16 ||
        base::Hash64(ToView(it->value()).substr(8)) != LoadLittle<uint64_t>(it->value().data())) {
      return absl::DataLossError(fmt::format("a begin offset of topic {} is damaged", TopicName(topic)));
    }
    (*begins)[partition] = LoadLittle<uint64_t>(it->value().data() + 8);
  }
  const std::string segment_prefix = MetaPrefix(kSegment, topic);
  for (it->Seek(segment_prefix); it->Valid() && it->key().starts_with(segment_prefix); it->Next()) {
    if (it->key().size() != 6) {
      return absl::DataLossError(fmt::format("a segment of topic {} has a damaged key", TopicName(topic)));
    }
    ASSIGN_OR_RETURN(Segment segment, DecodeSegment(LoadBig32(it->key().data() + 2), partitions, ToView(it->value())));
    segments->push_back(std::move(segment));
  }
  return store::FromRocks(it->status(), fmt::format("load topic {}", TopicName(topic)));
}

absl::Status LogStore::ScanActive(Topic topic, Segment* active) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db().NewIterator(options, column(topic)));
  for (it->Seek(SegmentStart(active->id)); it->Valid(); it->Next()) {
    ASSIGN_OR_RETURN(const RunKey key, DecodeRunKey(ToView(it->key())));
    if (key.segment != active->id || key.partition >= active->parts.size()) {
      return absl::DataLossError(fmt::format("topic {} holds a run of segment {}, partition {}, which is not listed",
                                             TopicName(topic), key.segment, key.partition));
    }
    ASSIGN_OR_RETURN(const RunHeader header, RunReader::PeekHeader(ToView(it->value())));
    SegmentPart& part = active->parts[key.partition];
    part.end = key.last_offset + 1;
    part.records += header.records;
    part.bytes += it->value().size();
    active->last_append_time_us = std::max(active->last_append_time_us, header.append_time_us);
  }
  return store::FromRocks(it->status(), fmt::format("load topic {}", TopicName(topic)));
}

void LogStore::PutSegment(Topic topic, const Segment& segment, rocksdb::WriteBatch* batch) const {
  batch->Put(MetaKey(kSegment, topic, segment.id), EncodeSegment(segment));
}

void LogStore::DeleteSegment(Topic topic, uint32_t segment, rocksdb::WriteBatch* batch) const {
  batch->Delete(MetaKey(kSegment, topic, segment));
}

void LogStore::PutBegin(Topic topic, uint32_t partition, Offset begin, rocksdb::WriteBatch* batch) const {
  std::string body;
  AppendLittle(&body, begin);
  std::string value;
  AppendLittle(&value, base::Hash64(body));
  batch->Put(MetaKey(kBegin, topic, partition), value + body);
}

void LogStore::PutCompactedThrough(Topic topic, uint32_t segment, rocksdb::WriteBatch* batch) const {
  std::string value;
  AppendLittle(&value, segment);
  batch->Put(MetaPrefix(kCompacted, topic), value);
}

absl::StatusOr<bool> LogStore::GetCompactedThrough(Topic topic, uint32_t* segment) const {
  std::string value;
  const rocksdb::Status got = db().Get({}, MetaPrefix(kCompacted, topic), &value);
  *segment = 0;
  if (got.IsNotFound()) return false;
  if (!got.ok()) return store::FromRocks(got, "read how far compaction went");
  std::string_view bytes = value;
  if (!TakeLittle(&bytes, segment)) return absl::DataLossError("the entry of how far compaction went is damaged");
  return true;
}

absl::Status LogStore::WriteDurably(rocksdb::WriteBatch* batch) const {
  rocksdb::WriteOptions options;
  options.sync = true;
  const rocksdb::Status status = db().Write(options, batch);
  if (status.ok()) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("the log cannot write: {}", status.ToString()));
}

void LogStore::FlushInBackground(Topic topic) const {
  rocksdb::FlushOptions options;
  options.wait = false;
  options.allow_write_stall = true;
  // A failure shows at the next write, which then fails; the records are in the write-ahead log meanwhile.
  db().Flush(options, column(topic)).PermitUncheckedError();
}

absl::Status LogStore::EraseOverwritten(const std::map<Topic, std::pair<uint32_t, uint32_t>>& segments) const {
  // Of every column: the write-ahead log goes when nothing in memory is only there.
  std::vector<rocksdb::ColumnFamilyHandle*> columns = {rocks_->column(0)};
  for (const Topic topic : kAllTopics) columns.push_back(column(topic));
  rocksdb::FlushOptions options;
  options.allow_write_stall = true;
  RETURN_IF_ERROR(store::FromRocks(db().Flush(options, columns), "flush the log"));
  for (const auto& [topic, span] : segments) {
    RETURN_IF_ERROR(store::RewriteFiles(db(), column(topic), {{SegmentStart(span.first), SegmentEnd(span.second)}}));
  }
  return store::DropObsoleteFiles(db());
}

absl::Status LogStore::DropSegment(Topic topic, uint32_t segment) const {
  const std::string start = SegmentStart(segment);
  const std::string end = SegmentEnd(segment);
  const rocksdb::Slice start_slice(start);
  const rocksdb::Slice end_slice(end);
  const rocksdb::Status dropped = rocksdb::DeleteFilesInRange(&db(), column(topic), &start_slice, &end_slice);
  if (!dropped.ok()) return store::FromRocks(dropped, fmt::format("drop segment {}", segment));
  // What shares a file with its neighbours, or is not in a file yet, is left to RocksDB's own deletion.
  const std::unique_ptr<rocksdb::Iterator> it(db().NewIterator({}, column(topic)));
  it->Seek(start_slice);
  rocksdb::WriteBatch batch;
  if (it->Valid() && it->key().compare(end_slice) < 0) batch.DeleteRange(column(topic), start_slice, end_slice);
  DeleteSegment(topic, segment, &batch);
  return WriteDurably(&batch);
}

}  // namespace bowerbird::log
