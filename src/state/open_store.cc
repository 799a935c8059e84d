#include "state/open_store.h"

#include <vector>

#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::state {
namespace {

using log::Offset;
using log::Topic;

struct FormatLine {
  std::string_view key;
  std::string text;
};
std::vector<FormatLine> FormatLines(const FoldPolicy& policy, uint32_t partitions) {
  return {{"layout", fmt::format("{} partitions={}", policy.LayoutText(), partitions)},
          {"meaning", policy.MeaningText()}};
}

absl::Status CheckLine(const StateStore& store, const FormatLine& line) {
  ASSIGN_OR_RETURN(const std::string stored, store.LoadFormat(line.key));
  if (stored == line.text) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("state: {} found \"{}\"; expected \"{}\"", line.key, stored, line.text));
}

absl::StatusOr<bool> IsNew(const StateStore& store) {
  ASSIGN_OR_RETURN(const std::string layout, store.LoadFormat("layout"));
  return layout.empty();
}

/// FailedPrecondition: the store has folded what this log does not have.
absl::Status CheckLog(const StateStore& store, const log::EventLog& log) {
  const uint32_t partitions = log.PartitionCount(Topic::kEvents);
  ASSIGN_OR_RETURN(const std::vector<Offset> offsets, store.LoadOffsets(partitions));
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    ASSIGN_OR_RETURN(const Offset end, log.EndOffset(Topic::kEvents, partition));
    if (offsets[partition] > end) {
      return absl::FailedPreconditionError(fmt::format("state: folded events partition {} up to {}; the log ends at {}",
                                                       partition, offsets[partition], end));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFormat(const StateStore& store, const FoldPolicy& policy, uint32_t partitions) {
  for (const FormatLine& line : FormatLines(policy, partitions)) RETURN_IF_ERROR(CheckLine(store, line));
  return absl::OkStatus();
}

absl::StatusOr<bool> LogReachesBack(const log::EventLog& log) {
  for (uint32_t partition = 0; partition < log.PartitionCount(Topic::kEvents); ++partition) {
    ASSIGN_OR_RETURN(const Offset begin, log.BeginOffset(Topic::kEvents, partition));
    if (begin > 0) return false;
  }
  return true;
}

absl::StatusOr<std::unique_ptr<StateStore>> OpenStateStore(const std::string& dir, const FoldPolicy& policy,
                                                           uint64_t memory_bytes, const log::EventLog& log) {
  const uint32_t partitions = log.PartitionCount(Topic::kEvents);
  const StateStore::Options options{policy.user_layout(), policy.item_layout(), memory_bytes};
  ASSIGN_OR_RETURN(auto store, StateStore::Open(dir, options));
  ASSIGN_OR_RETURN(const bool is_new, IsNew(*store));
  const std::vector<FormatLine> lines = FormatLines(policy, partitions);
  absl::Status fit;  // of what every merge and read relies on
  if (!is_new) fit = CheckLine(*store, lines[0]);
  if (fit.ok()) fit = CheckLog(*store, log);
  const absl::Status meaning = is_new ? absl::OkStatus() : CheckLine(*store, lines[1]);
  for (const absl::Status& status : {fit, meaning}) {
    if (!status.ok() && !absl::IsFailedPrecondition(status)) return status;
  }
  if (!fit.ok() || !meaning.ok()) {
    ASSIGN_OR_RETURN(const bool can_fold_again, LogReachesBack(log));
    if (can_fold_again) {
      store = nullptr;
      RETURN_IF_ERROR(StateStore::Destroy(dir));
      ASSIGN_OR_RETURN(store, StateStore::Open(dir, options));
    } else if (!fit.ok()) {
      return absl::FailedPreconditionError(fmt::format(
          "{}; it cannot be made again, because the log no longer has the first events: go back to the former config",
          std::string(fit.message())));
    }
    // Else what is folded stays as it was, and the new meaning counts from here on.
  }
  StateStore::Batch batch(store.get());
  for (const FormatLine& line : lines) batch.PutFormat(line.key, line.text);
  RETURN_IF_ERROR(store->Write(&batch));
  RETURN_IF_ERROR(store->EnableCompaction());
  return store;
}

}  // namespace bowerbird::state
