#include "lake/log_with_history.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status_macros.h"
#include "lake/tables.h"

namespace bowerbird::lake {

using log::Offset;
using log::Topic;

namespace {

/// Those of which every record is a row, and that are not compacted.
constexpr std::array kTopics = {Topic::kEvents, Topic::kServed};
constexpr int64_t kUnusedUs = 30'000'000;

const Table* TableOf(Topic topic) {
  const auto tables = LogTables();
  const auto table = std::ranges::find(tables, topic, &Table::topic);
  return table == tables.end() ? nullptr : &*table;
}

}  // namespace

LogWithHistory::LogWithHistory(log::EventLog* log, Lake* lake, size_t cache_bytes)
    : log_(*log), lake_(*lake), cache_(cache_bytes) {}

bool LogWithHistory::HasPast(Topic topic) { return std::ranges::find(kTopics, topic) != kTopics.end(); }

absl::StatusOr<TableHistory*> LogWithHistory::PastOf(Topic topic) const {
  if (!HasPast(topic)) return nullptr;
  const absl::MutexLock lock(&mutex_);
  std::unique_ptr<TableHistory>& history = histories_[topic == kTopics[0] ? 0 : 1];
  if (history == nullptr) {
    const Table* table = TableOf(topic);
    ASSIGN_OR_RETURN(TableStore * store, lake_.LogTable(table->name));
    if (store == nullptr) return nullptr;
    history = std::make_unique<TableHistory>(table, store, &log_, &cache_);
  }
  return history.get();
}

absl::StatusOr<log::ReadResult> LogWithHistory::Read(Topic topic, uint32_t partition, Offset offset, size_t records_max,
                                                     size_t bytes_max) const {
  while (true) {
    absl::StatusOr<log::ReadResult> recent = log_.Read(topic, partition, offset, records_max, bytes_max);
    if (!absl::IsOutOfRange(recent.status()) || !HasPast(topic)) return recent;
    ASSIGN_OR_RETURN(const Offset begin, log_.BeginOffset(topic, partition));
    if (offset >= begin) return recent;  // beyond the end
    ASSIGN_OR_RETURN(TableHistory * history, PastOf(topic));
    if (history == nullptr) return recent;
    log::ReadResult result;
    result.next_offset = offset;
    if (records_max == 0) {
      ASSIGN_OR_RETURN(const Offset first, history->Begin(partition, begin));
      return offset >= first ? absl::StatusOr<log::ReadResult>(std::move(result)) : recent;
    }
    RETURN_IF_ERROR(history->Read(partition, begin, records_max, bytes_max, &result));
    size_t bytes = 0;
    for (const log::Record& record : result.records) bytes += record.key.size() + record.value.size();
    if (result.next_offset < begin || result.records.size() >= records_max || bytes >= bytes_max) return result;
    recent = log_.Read(topic, partition, begin, records_max - result.records.size(), bytes_max - bytes);
    if (recent.ok()) {
      std::ranges::move(recent->records, std::back_inserter(result.records));
      result.next_offset = recent->next_offset;
      return result;
    }
    // Retention went on meanwhile: what was read is an answer, and nothing is asked again.
    if (!absl::IsOutOfRange(recent.status())) return recent;
    if (!result.records.empty()) return result;
  }
}

absl::StatusOr<Offset> LogWithHistory::BeginOffset(Topic topic, uint32_t partition) const {
  ASSIGN_OR_RETURN(const Offset begin, log_.BeginOffset(topic, partition));
  if (begin == 0) return begin;
  ASSIGN_OR_RETURN(TableHistory * history, PastOf(topic));
  return history == nullptr ? begin : history->Begin(partition, begin);
}

bool LogWithHistory::WaitForAppend(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const {
  cache_.DropUnused(kUnusedUs);
  return log_.WaitForAppend(topic, seen_ends, timeout_us);
}

absl::StatusOr<Offset> LogWithHistory::OffsetAtTime(Topic topic, uint32_t partition, int64_t time_us) const {
  ASSIGN_OR_RETURN(const Offset recent, log_.OffsetAtTime(topic, partition, time_us));
  if (!HasPast(topic)) return recent;
  ASSIGN_OR_RETURN(const Offset begin, log_.BeginOffset(topic, partition));
  if (begin == 0 || recent > begin) return recent;
  ASSIGN_OR_RETURN(TableHistory * history, PastOf(topic));
  if (history == nullptr) return recent;
  ASSIGN_OR_RETURN(const Offset past, history->OffsetAtTime(partition, begin, time_us));
  return past < begin ? past : std::max(recent, begin);
}

absl::StatusOr<std::vector<log::PartitionStats>> LogWithHistory::Stats() const {
  ASSIGN_OR_RETURN(std::vector<log::PartitionStats> stats, log_.Stats());
  for (log::PartitionStats& one : stats) {
    if (one.begin == 0 || !HasPast(one.topic)) continue;
    ASSIGN_OR_RETURN(TableHistory * history, PastOf(one.topic));
    if (history == nullptr) continue;
    ASSIGN_OR_RETURN(const Offset begin, history->Begin(one.partition, one.begin));
    if (begin == one.begin) continue;
    one.records += one.begin - begin;
    one.begin = begin;
    one.bytes.reset();
  }
  return stats;
}

std::vector<Offset> LogWithHistory::ReadTogether(Topic topic, std::span<const Offset> from) const {
  std::vector<Offset> begins(from.size());
  bool past = false;
  for (uint32_t p = 0; HasPast(topic) && p < from.size(); ++p) {
    begins[p] = log_.BeginOffset(topic, p).value_or(0);
    past |= from[p] < begins[p];
  }
  if (!past) return log_.ReadTogether(topic, from);
  const absl::StatusOr<TableHistory*> history = PastOf(topic);
  if (!history.ok() || *history == nullptr) return log_.ReadTogether(topic, from);
  return (*history)->ReadTogether(from, begins);
}

}  // namespace bowerbird::lake
