#pragma once

#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "config/config.h"
#include "log/event_log.h"
#include "state/partition_range.h"
#include "state/state_store.h"

namespace bowerbird::state {

/// Makes the store in `dir`, folded up to `offsets`, hold the signals of `config`, per user and per item, and no
/// others. The values of those that the config no longer has are dropped. Those that are new to a store that has folded
/// something get their history from what the log still has below `offsets`: folded in a store beside it, in
/// `dir`_signals, which is gone when they are in, and goes on where it was when this is called again after a crash.
/// What a merge of two ids does not carry is not known to it: a signal that is added later begins, for users who were
/// identified before, with what they did as themselves.
///
/// Cost     nothing when there is nothing to do; else a fold of the log, and a scan of the column `signals`.
/// Errors   those of log and stores; nothing is counted in part: the store's line says which signals are in.
absl::Status AdoptSignals(const StateStores& stores, const std::string& dir, const config::Config& config,
                          const log::EventLog* log, std::span<const log::Offset> offsets, StateStore* store);

/// What AdoptSignals with `config` would have to fold of the log for a store in `dir` that holds those of `held`,
/// folded ahead while whoever owns the store goes on: up to `offsets`, which the owner has folded. An AdoptSignals that
/// comes later goes on from there; one for another config throws it away.
///
/// Threads  one call at a time for a `dir`, and none beside AdoptSignals.
/// Bounds   memory: a quarter of config.state.cache_bytes.
/// Errors   those of log and stores; the store in `dir` is not touched.
absl::Status FoldSignalsAhead(const StateStores& stores, const std::string& dir, const config::Config& config,
                              const config::Config& held, const log::EventLog* log,
                              std::span<const log::Offset> offsets);

/// Takes a signal out of what the store in `dir` holds, so that the next AdoptSignals gives it its history anew. No
/// State may have `dir` open.
absl::Status ForgetSignal(const StateStores& stores, const std::string& dir, const config::Config& config,
                          uint32_t partitions, uint64_t id, const PartitionRange& owned = {});

/// What the store's line says when it holds those of `config`.
std::string SignalsLine(const config::Config& config);
/// Its key among the formats.
inline constexpr std::string_view kSignalsFormat = "signals";

}  // namespace bowerbird::state
