#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "log/event_log.h"
#include "state/fold.h"
#include "state/partition_range.h"
#include "state/state_store.h"

namespace bowerbird::state {

/// Opens the store in `dir` for folding the partitions `owned` of `log` under `policy`, throwing away what was made
/// under another policy or from another log, and what is damaged. FailedPrecondition, DataLoss: thrown away it could
/// not be made again, because the log no longer reaches back to its start.
absl::StatusOr<std::unique_ptr<StateStore>> OpenStateStore(const StateStores& stores, const std::string& dir,
                                                           const FoldPolicy& policy, uint64_t memory_bytes,
                                                           const log::EventLog& log, const PartitionRange& owned = {});

/// Whether the state in `store` is what folding under `policy` gives; if not, FailedPrecondition with what differs.
absl::Status CheckFormat(const StateStore& store, const FoldPolicy& policy, uint32_t partitions,
                         const PartitionRange& owned = {});

/// Whether every partition of the events topic still has its first record. FailedPrecondition: one has not, and why.
absl::Status CheckLogReachesBack(const log::EventLog& log);

}  // namespace bowerbird::state
