#include "lake/log_follower.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/json_writer.h"
#include "base/status_macros.h"

namespace bowerbird::lake {
namespace {

constexpr int64_t kHourUs = 3'600'000'000;
constexpr uint64_t kCommitRows = 4u << 20;

int64_t HourOf(int64_t time_us) { return time_us / kHourUs; }

}  // namespace

KeyValues PartMetadata(const Table& table, std::span<const LogRange> ranges) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginArray();
  for (const LogRange& range : ranges)
    json.BeginArray().Uint(range.partition).Uint(range.begin).Uint(range.end).EndArray();
  json.EndArray();
  return {{"bowerbird.schema", fmt::format("{}", kSchema)},
          {"bowerbird.table", std::string(table.name)},
          {"bowerbird.topic", std::string(log::TopicName(table.topic))},
          {"bowerbird.ranges", text}};
}

absl::StatusOr<PartDescription> DescribePart(const KeyValues& metadata, const std::string& path) {
  PartDescription description;
  bool has_schema = false, has_ranges = false;
  for (const auto& [key, value] : metadata) {
    if (key == "bowerbird.schema") has_schema = absl::SimpleAtoi(value, &description.schema);
    if (key != "bowerbird.ranges") continue;
    simdjson::dom::parser parser;
    simdjson::dom::array ranges;
    if (parser.parse(value).get(ranges)) break;
    has_ranges = true;
    for (const simdjson::dom::element element : ranges) {
      LogRange range;
      uint64_t partition = 0;
      has_ranges = has_ranges && element.at(0).get(partition) == simdjson::SUCCESS &&
                   element.at(1).get(range.begin) == simdjson::SUCCESS &&
                   element.at(2).get(range.end) == simdjson::SUCCESS;
      range.partition = static_cast<uint32_t>(partition);
      description.ranges.push_back(range);
    }
  }
  if (has_schema && description.schema > kSchema) {
    return absl::FailedPreconditionError(
        fmt::format("{}: found schema {}; this program reads up to {}: it was written by a newer one", path,
                    description.schema, kSchema));
  }
  if (!has_schema || !has_ranges)
    return absl::DataLossError(fmt::format("{}: the file does not say what it holds", path));
  return description;
}

absl::StatusOr<uint64_t> LogFollower::Lag() const {
  const auto manifest = store_->manifest();
  uint64_t lag = 0;
  for (uint32_t partition = 0; partition < log_->PartitionCount(table_->topic); ++partition) {
    ASSIGN_OR_RETURN(const log::Offset end, log_->EndOffset(table_->topic, partition));
    ASSIGN_OR_RETURN(log::Offset next, log_->BeginOffset(table_->topic, partition));
    if (partition < manifest->next.size()) next = std::max(next, manifest->next[partition]);
    lag += end - std::min(end, next);
  }
  return lag;
}

absl::Status LogFollower::Start() {
  manifest_ = *store_->manifest();
  const uint32_t partitions = log_->PartitionCount(table_->topic);
  if (!manifest_.next.empty() && manifest_.next.size() != partitions) {
    return absl::FailedPreconditionError(fmt::format("lake table {}: it follows {} partitions; the log has {}",
                                                     table_->name, manifest_.next.size(), partitions));
  }
  const bool fresh = manifest_.next.empty();
  manifest_.next.resize(partitions);
  cursors_.assign(partitions, {});
  batch_ = std::make_unique<Batch>(*table_->fields);
  part_.reset();
  ranges_.clear();
  uncommitted_parts_ = 0;
  rows_ = uncommitted_rows_ = 0;
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    ASSIGN_OR_RETURN(const log::Offset begin, log_->BeginOffset(table_->topic, partition));
    ASSIGN_OR_RETURN(cursors_[partition].end, log_->EndOffset(table_->topic, partition));
    log::Offset& next = manifest_.next[partition];
    // What a compacted topic dropped has a newer record of its key; of the others it is missed, and says so.
    if (next < begin && !fresh && !log::IsCompacted(table_->topic)) manifest_.gaps.push_back({partition, next, begin});
    next = std::max(next, begin);
    cursors_[partition].next = next;
  }
  return absl::OkStatus();
}

absl::StatusOr<const log::Record*> LogFollower::Peek(uint32_t partition) {
  Cursor& cursor = cursors_[partition];
  while (cursor.at == cursor.read.records.size()) {
    if (cursor.next >= cursor.end) return nullptr;
    ASSIGN_OR_RETURN(cursor.read, log_->Read(table_->topic, partition, cursor.next, kReadRecords, kReadBytes));
    cursor.at = 0;
    // Records beyond the end wait for the next time, and so does a range that compaction emptied.
    while (!cursor.read.records.empty() && cursor.read.records.back().offset >= cursor.end)
      cursor.read.records.pop_back();
    const log::Offset reached = std::min(cursor.read.next_offset, cursor.end);
    cursor.next = reached == cursor.next ? cursor.end : reached;
    if (cursor.read.records.empty()) manifest_.next[partition] = cursor.next;
  }
  return &cursor.read.records[cursor.at];
}

absl::Status LogFollower::AddRow(uint32_t partition, const log::Record& record) {
  if (part_ == nullptr) {
    ASSIGN_OR_RETURN(
        part_, PartFile::Create(store_, HourDirectory(record.append_time_us), ++manifest_.sequence, *table_->fields));
    first_us_ = record.append_time_us;
    last_us_ = record.append_time_us;
  }
  if (ranges_.empty() || ranges_.back().partition != partition)
    ranges_.push_back({partition, manifest_.next[partition], 0});
  table_->append(partition, record, batch_.get());
  ranges_.back().end = manifest_.next[partition] = record.offset + 1;
  first_us_ = std::min(first_us_, record.append_time_us);
  last_us_ = std::max(last_us_, record.append_time_us);
  const int64_t rows = batch_->rows();
  // Values may be large, so their bytes are looked at more often than their number asks for.
  if (rows >= kBatchRows || (rows % 64 == 0 && batch_->bytes() >= kBatchBytesMax)) RETURN_IF_ERROR(Flush());
  return part_->rows() >= kPartRows ? FinishPart() : absl::OkStatus();
}

absl::Status LogFollower::Flush() {
  const int64_t rows = batch_->rows();
  if (rows == 0) return absl::OkStatus();
  RETURN_IF_ERROR(store_->Step("rows"));
  ArrowArray exported;
  batch_->Export(&exported);
  uncommitted_rows_ += static_cast<uint64_t>(rows);
  return part_->Write(&exported);
}

absl::Status LogFollower::FinishPart() {
  if (part_ == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(Flush());
  ASSIGN_OR_RETURN(Part part, part_->Finish(PartMetadata(*table_, ranges_), first_us_, last_us_));
  part_.reset();
  ranges_.clear();
  manifest_.parts.push_back(std::move(part));
  if (++uncommitted_parts_ < kCommitParts && uncommitted_rows_ < kCommitRows) return absl::OkStatus();
  return CommitParts();
}

absl::Status LogFollower::CommitParts() {
  if (uncommitted_parts_ == 0) return absl::OkStatus();
  RETURN_IF_ERROR(store_->Commit(manifest_));
  manifest_ = *store_->manifest();
  rows_ += uncommitted_rows_;
  uncommitted_rows_ = 0;
  uncommitted_parts_ = 0;
  return absl::OkStatus();
}

absl::Status LogFollower::WriteHour(int64_t hour) {
  for (uint32_t partition = 0; partition < cursors_.size(); ++partition) {
    while (true) {
      ASSIGN_OR_RETURN(const log::Record* record, Peek(partition));
      if (record == nullptr || HourOf(record->append_time_us) > hour) break;
      RETURN_IF_ERROR(AddRow(partition, *record));
      ++cursors_[partition].at;
    }
  }
  return FinishPart();
}

absl::StatusOr<uint64_t> LogFollower::CatchUp() {
  const absl::MutexLock lock(&store_->writing());
  RETURN_IF_ERROR(Start());
  while (true) {
    int64_t hour = std::numeric_limits<int64_t>::max();
    for (uint32_t partition = 0; partition < cursors_.size(); ++partition) {
      ASSIGN_OR_RETURN(const log::Record* record, Peek(partition));
      if (record != nullptr) hour = std::min(hour, HourOf(record->append_time_us));
    }
    if (hour == std::numeric_limits<int64_t>::max()) break;
    RETURN_IF_ERROR(WriteHour(hour));
  }
  RETURN_IF_ERROR(CommitParts());
  cursors_.clear();  // and what they had read ahead
  return rows_;
}

}  // namespace bowerbird::lake
