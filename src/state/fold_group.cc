#include "state/fold_group.h"

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "base/status_macros.h"
#include "fmt/format.h"
#include "state/next_record.h"

namespace bowerbird::state {
namespace {

using log::Offset;
using log::Topic;

constexpr Offset kNoLimit = std::numeric_limits<Offset>::max();
constexpr int64_t kRetryUs = 100'000, kRetryUsMax = 5'000'000;

}  // namespace

FoldGroup::FoldGroup(std::vector<Partition*> partitions, const log::EventLog* log, StateStore* store,
                     const ItemLayout& item_layout, std::span<const Offset> limits, Hooks hooks)
    : log_(log),
      source_(log),
      store_(store),
      item_layout_(item_layout),
      partitions_(log->PartitionCount(Topic::kEvents)),
      hooks_(std::move(hooks)),
      health_(partitions.size() + 1) {
  for (Partition* partition : partitions) {
    members_.push_back({partition, limits.empty() ? kNoLimit : limits[partition->index()]});
  }
}

absl::StatusOr<bool> FoldGroup::FoldBatch(Member* member, Offset end) {
  Partition* partition = member->partition;
  RETURN_IF_ERROR(HandOver(partition));
  const Offset from = partition->folded();
  const absl::Status read = source_.Read(partition->index(), from, end, &batch_);
  if (absl::IsOutOfRange(read)) {
    ASSIGN_OR_RETURN(const Offset log_begin, log_->BeginOffset(Topic::kEvents, partition->index()));
    if (from < log_begin && log_begin <= end) {
      skipped_ += log_begin - from;
      partition->SkipTo(log_begin);
      return true;
    }
  }
  RETURN_IF_ERROR(read);
  if (batch_.records().empty()) {
    if (batch_.next_offset() <= from) return false;
    partition->SkipTo(batch_.next_offset());
    return true;
  }
  std::vector<DeadLetter> dead_letters;
  // Whoever waits for the fold of an identify finds what it hands over in the log.
  absl::Status handed_over;
  const auto advanced = [&] {
    if (handed_over.ok()) handed_over = HandOver(partition);
    hooks_.advanced(partition->index());
  };
  const absl::Status folded = partition->Fold(batch_, advanced, &dead_letters);
  if (!dead_letters.empty()) hooks_.dead_letters(partition->index(), std::move(dead_letters));
  RETURN_IF_ERROR(handed_over);
  if (absl::IsDataLoss(folded)) hooks_.store_damaged();
  RETURN_IF_ERROR(folded);
  RETURN_IF_ERROR(hooks_.batch_done(partition));
  return true;
}

absl::Status FoldGroup::HandOver(Partition* partition) {
  const std::vector<Handover> handovers = partition->UnsentHandovers();
  if (handovers.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(hooks_.hand_over(partition->index(), handovers));
  partition->HandoversSent(handovers.size());
  return absl::OkStatus();
}

bool FoldGroup::FoldOnce() {
  bool any = false;
  const int64_t now_us = base::MonotonicUs();
  for (size_t i = 0; i < members_.size(); ++i) {
    Member& member = members_[i];
    if (member.retry_at_us > now_us) continue;
    const absl::StatusOr<Offset> log_end = log_->EndOffset(Topic::kEvents, member.partition->index());
    absl::Status status = log_end.status();
    if (log_end.ok()) {
      member.seen_end = *log_end;
      const Offset end = std::min(*log_end, member.limit);
      if (member.partition->folded() >= end && member.failures == 0) continue;
      const absl::StatusOr<bool> folded = FoldBatch(&member, end);
      status = folded.status();
      any |= folded.ok() && *folded;
    }
    if (status.ok() && member.failures == 0) continue;
    member.failures = status.ok() ? 0 : member.failures + 1;
    member.retry_at_us = status.ok() ? 0 : now_us + std::min(kRetryUs * member.failures, kRetryUsMax);
    SetHealth(i, std::move(status));
  }
  return any;
}

absl::Status FoldGroup::FoldUntil(std::span<const Offset> ends, int64_t write_interval_us) {
  int64_t written_us = base::MonotonicUs();
  for (bool any = true; any;) {
    any = false;
    std::vector<Offset> from(partitions_, kNoLimit);
    for (const Member& member : members_) {
      const uint32_t p = member.partition->index();
      if (member.partition->folded() < std::min(ends[p], member.limit)) from[p] = member.partition->folded();
    }
    const std::vector<Offset> together = log_->ReadTogether(Topic::kEvents, from);
    for (Member& member : members_) {
      const uint32_t p = member.partition->index();
      const Offset end = std::min({ends[p], member.limit, together[p]});
      while (member.partition->folded() < end) {
        ASSIGN_OR_RETURN(const bool folded, FoldBatch(&member, end));
        if (!folded) break;
        any = true;
        if (const int64_t now_us = base::MonotonicUs(); now_us - written_us >= write_interval_us) {
          RETURN_IF_ERROR(Write());
          written_us = now_us;
        }
      }
    }
  }
  return Write();
}

std::vector<Offset> FoldGroup::SeenEnds() const {
  // Partitions that are not ours, are done, or wait for their next try must not wake us.
  std::vector<Offset> seen(partitions_, kNoLimit);
  for (const Member& member : members_) {
    if (member.failures == 0 && member.partition->folded() < member.limit) {
      seen[member.partition->index()] = std::max(member.seen_end, member.partition->folded());
    }
  }
  return seen;
}

absl::Status FoldGroup::Write() {
  const std::lock_guard lock(write_mutex_);
  if (taken_batch_ != nullptr) RETURN_IF_ERROR(WriteTaken());
  auto batch = store_->NewBatch();
  std::vector<ItemEvent> item_events;
  for (const Member& member : members_) {
    if (member.partition->TakeUnwritten(batch.get(), &item_events)) taken_.push_back(member.partition);
  }
  if (taken_.empty()) return absl::OkStatus();
  for (const auto& [from, added] : SumMoves(item_events)) batch->MergeNext(from, added);
  for (const auto& [item, added] : SumByItem(&item_events, item_layout_)) batch->MergeItem(item, added);
  taken_batch_ = std::move(batch);
  return WriteTaken();
}

absl::Status FoldGroup::WriteTaken() {
  absl::Status status = store_->Write(taken_batch_.get());
  if (!status.ok() && store_->Resume().ok()) status = store_->Write(taken_batch_.get());
  SetHealth(members_.size(), status);
  if (absl::IsDataLoss(status)) hooks_.store_damaged();
  RETURN_IF_ERROR(status);
  ++writes_;
  batch_bytes_ += taken_batch_->bytes();
  for (Partition* partition : taken_) partition->Written();
  taken_.clear();
  taken_batch_ = nullptr;
  return absl::OkStatus();
}

void FoldGroup::SetHealth(size_t member, absl::Status status) {
  const std::lock_guard lock(health_mutex_);
  health_[member] = std::move(status);
}

absl::Status FoldGroup::Health() const {
  const std::lock_guard lock(health_mutex_);
  for (const absl::Status& status : health_) RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

}  // namespace bowerbird::state
