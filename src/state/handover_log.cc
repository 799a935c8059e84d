#include "state/handover_log.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/status_macros.h"
#include "bowerbird/v1/event.pb.h"

namespace bowerbird::state {
namespace {

using log::Offset;
using log::Topic;

constexpr size_t kReadRecords = 256;
constexpr size_t kReadBytes = 1u << 20;
constexpr size_t kAppendBytes = 16u << 20;
/// How the field `mark` of an event begins, and the field `forget`, which is empty, as they are stored.
constexpr std::string_view kMarkTag("\x92\x03", 2), kForgetField("\xe2\x02\x00", 3);

}  // namespace

absl::StatusOr<HandoverLog> HandoverLog::Open(log::EventLog* log, Sent sent) {
  HandoverLog handovers(log, std::move(sent));
  for (uint32_t partition = 0; partition < log->PartitionCount(Topic::kEvents); ++partition) {
    ASSIGN_OR_RETURN(const Offset end, log->EndOffset(Topic::kEvents, partition));
    handovers.ends_.push_back(end);
    handovers.said_marks_.push_back(std::make_unique<SaidMarks>());
  }
  return handovers;
}

absl::Status HandoverLog::ReadMarks(uint32_t partition, Offset from, SaidMarks* said) const {
  v1::Event event;
  while (from < ends_[partition]) {
    ASSIGN_OR_RETURN(const log::ReadResult read, log_->Read(Topic::kEvents, partition, from, kReadRecords, kReadBytes));
    for (const log::Record& record : read.records) {
      if (record.offset >= ends_[partition]) return absl::OkStatus();
      const bool may_be_ours =
          record.value.find(kMarkTag) != std::string::npos || record.value.find(kForgetField) != std::string::npos;
      if (!may_be_ours || !event.ParseFromString(record.value)) continue;
      const catalog::UserKey user(event.user_key());
      if (event.has_forget()) said->forgotten[user] = record.offset;
      // An operator's word follows from no record, unless it came with an id that became the user.
      const v1::Mark& mark = event.mark();
      if (IsByRule(MarkReasonOf(mark.reason())) || mark.source_offset() > 0)
        said->marks[user].emplace_back(mark.source_offset(), record.offset);
    }
    if (read.next_offset <= from) break;
    from = read.next_offset;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HandoverLog::IsMarkInLog(const Handover& handover, uint32_t partition) const {
  SaidMarks& said = *said_marks_[partition];
  if (!said.read) {
    // Whoever asks later does so of later records.
    RETURN_IF_ERROR(ReadMarks(partition, handover.source_offset, &said));
    said.read = true;
  }
  if (const auto forgotten = said.forgotten.find(handover.user_key);
      forgotten != said.forgotten.end() && forgotten->second > handover.source_offset) {
    return true;
  }
  const auto marks = said.marks.find(handover.user_key);
  if (marks == said.marks.end()) return false;
  return std::ranges::any_of(marks->second, [&](const auto& mark) {
    return mark.first <= handover.source_offset && handover.source_offset < mark.second;
  });
}

absl::StatusOr<bool> HandoverLog::IsInLog(const Handover& handover, uint32_t target) const {
  // It was appended after the record that it follows from.
  ASSIGN_OR_RETURN(Offset from, log_->OffsetAtTime(Topic::kEvents, target, handover.append_time_us));
  while (from < ends_[target]) {
    ASSIGN_OR_RETURN(const log::ReadResult read, log_->Read(Topic::kEvents, target, from, kReadRecords, kReadBytes));
    for (const log::Record& record : read.records) {
      if (record.offset >= ends_[target]) return false;
      v1::Event event;
      // A record that says who was forgotten has no key once it is redacted.
      const bool keyless = record.key.empty();
      if ((!keyless && record.key != handover.user) || !event.ParseFromString(record.value)) continue;
      // Who was forgotten after the record that it follows from gets nothing of it any more.
      if (event.has_forget() && event.user_key() == handover.user_key.value) return true;
      if (keyless || !event.has_merge()) continue;
      if (event.merge().source_key() == handover.source.value &&
          event.merge().source_offset() == handover.source_offset) {
        return true;
      }
    }
    if (read.next_offset <= from) break;
    from = read.next_offset;
  }
  return false;
}

absl::Status HandoverLog::Send(uint32_t partition, std::span<const Handover> handovers) const {
  const uint32_t partitions = log_->PartitionCount(Topic::kEvents);
  std::vector<log::AppendRecord> batch;
  std::vector<catalog::UserKey> users;
  size_t bytes = 0;
  const auto append = [&]() -> absl::Status {
    std::vector<uint32_t> targets;
    for (const log::AppendRecord& record : batch) targets.push_back(record.partition);
    ASSIGN_OR_RETURN(const std::vector<Offset> offsets, log_->Append(std::exchange(batch, {})));
    for (size_t i = 0; sent_ && i < offsets.size(); ++i) sent_(users[i], targets[i], offsets[i]);
    users.clear();
    bytes = 0;
    return absl::OkStatus();
  };
  for (const Handover& handover : handovers) {
    const uint32_t target = catalog::PartitionOf(handover.user_key, partitions);
    if (handover.source_offset < ends_[partition]) {
      ASSIGN_OR_RETURN(const bool sent,
                       handover.mark.has_value() ? IsMarkInLog(handover, partition) : IsInLog(handover, target));
      if (sent) continue;
    }
    batch.push_back({Topic::kEvents, target, handover.user, HandoverEvent(handover).SerializeAsString()});
    users.push_back(handover.user_key);
    bytes += batch.back().value.size();
    if (bytes >= kAppendBytes) RETURN_IF_ERROR(append());
  }
  return batch.empty() ? absl::OkStatus() : append();
}

}  // namespace bowerbird::state
