#include "state/handover_log.h"

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

}  // namespace

absl::StatusOr<HandoverLog> HandoverLog::Open(log::EventLog* log, Sent sent) {
  HandoverLog handovers(log, std::move(sent));
  for (uint32_t partition = 0; partition < log->PartitionCount(Topic::kEvents); ++partition) {
    ASSIGN_OR_RETURN(const Offset end, log->EndOffset(Topic::kEvents, partition));
    handovers.ends_.push_back(end);
  }
  return handovers;
}

absl::StatusOr<bool> HandoverLog::IsInLog(const Handover& handover, uint32_t target) const {
  // It was appended after the record that it follows from.
  ASSIGN_OR_RETURN(Offset from, log_->OffsetAtTime(Topic::kEvents, target, handover.append_time_us));
  while (from < ends_[target]) {
    ASSIGN_OR_RETURN(const log::ReadResult read, log_->Read(Topic::kEvents, target, from, kReadRecords, kReadBytes));
    for (const log::Record& record : read.records) {
      if (record.offset >= ends_[target]) return false;
      v1::Event event;
      if (record.key != handover.user || !event.ParseFromString(record.value) || !event.has_merge()) continue;
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
      ASSIGN_OR_RETURN(const bool sent, IsInLog(handover, target));
      if (sent) continue;
    }
    batch.push_back({Topic::kEvents, target, handover.user, MergeEvent(handover).SerializeAsString()});
    users.push_back(handover.user_key);
    bytes += batch.back().value.size();
    if (bytes >= kAppendBytes) RETURN_IF_ERROR(append());
  }
  return batch.empty() ? absl::OkStatus() : append();
}

}  // namespace bowerbird::state
