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
std::vector<FormatLine> FormatLines(const FoldPolicy& policy, uint32_t partitions, const PartitionRange& owned) {
  // What is counted of items is of the owned partitions alone.
  const std::string part =
      owned.IsPart(partitions) ? fmt::format(" owned={}..{}", owned.first, owned.end) : std::string();
  return {{"layout", fmt::format("{} partitions={}{}", policy.LayoutText(), partitions, part)},
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

absl::Status CheckFormat(const StateStore& store, const FoldPolicy& policy, uint32_t partitions,
                         const PartitionRange& owned) {
  for (const FormatLine& line : FormatLines(policy, partitions, owned)) RETURN_IF_ERROR(CheckLine(store, line));
  return absl::OkStatus();
}

absl::Status CheckLogReachesBack(const log::EventLog& log) {
  for (uint32_t partition = 0; partition < log.PartitionCount(Topic::kEvents); ++partition) {
    ASSIGN_OR_RETURN(const Offset begin, log.BeginOffset(Topic::kEvents, partition));
    if (begin == 0) continue;
    const absl::Status first = log.Read(Topic::kEvents, partition, 0, 1, 1).status();
    return absl::FailedPreconditionError(
        fmt::format("the log no longer has the first events ({})", std::string(first.message())));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<StateStore>> OpenStateStore(const StateStores& stores, const std::string& dir,
                                                           const FoldPolicy& policy, uint64_t memory_bytes,
                                                           const log::EventLog& log, const PartitionRange& owned) {
  const uint32_t partitions = log.PartitionCount(Topic::kEvents);
  const StateStore::Options options{policy.user_layout(), policy.item_layout(), memory_bytes};
  const std::vector<FormatLine> lines = FormatLines(policy, partitions, owned);
  std::unique_ptr<StateStore> store;
  absl::Status fit;      // of what every merge and read relies on
  absl::Status meaning;  // of what was counted
  const auto examine = [&]() -> absl::Status {
    if (stores.MarkedDamaged(dir)) return absl::DataLossError(fmt::format("state: {} was found damaged", dir));
    auto opened = stores.Open(dir, options);
    if (absl::IsNotFound(opened.status())) return absl::DataLossError(opened.status().message());  // a missing file
    ASSIGN_OR_RETURN(store, std::move(opened));
    ASSIGN_OR_RETURN(const bool is_new, IsNew(*store));
    if (!is_new) fit = CheckLine(*store, lines[0]);
    if (fit.ok()) fit = CheckLog(*store, log);
    meaning = is_new ? absl::OkStatus() : CheckLine(*store, lines[1]);
    for (const absl::Status& status : {fit, meaning}) {
      if (!status.ok() && !absl::IsFailedPrecondition(status)) return status;
    }
    return absl::OkStatus();
  };
  const absl::Status examined = examine();
  if (!examined.ok() && !absl::IsDataLoss(examined)) return examined;
  if (!examined.ok() || !fit.ok() || !meaning.ok()) {
    const absl::Status reaches_back = CheckLogReachesBack(log);
    if (!reaches_back.ok() && !absl::IsFailedPrecondition(reaches_back)) return reaches_back;
    const absl::Status& unusable = examined.ok() ? fit : examined;
    if (reaches_back.ok()) {
      store = nullptr;
      RETURN_IF_ERROR(stores.Destroy(dir));
      ASSIGN_OR_RETURN(store, stores.Open(dir, options));
    } else if (!unusable.ok()) {
      return absl::Status(unusable.code(),
                          fmt::format("{}; it cannot be made again, because {}: {}", std::string(unusable.message()),
                                      std::string(reaches_back.message()),
                                      examined.ok() ? "go back to the former config" : "restore a backup"));
    }
    // Else what is folded stays as it was, and the new meaning counts from here on.
  }
  const std::unique_ptr<StateStore::Batch> batch = store->NewBatch();
  for (const FormatLine& line : lines) batch->PutFormat(line.key, line.text);
  RETURN_IF_ERROR(store->Write(batch.get()));
  RETURN_IF_ERROR(store->EnableCompaction());
  return store;
}

}  // namespace bowerbird::state
