#pragma once

#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "config/config.h"
#include "log/event_log.h"
#include "signal/definition.h"
#include "state/state_store.h"

namespace bowerbird::state {

/// Makes the store in `dir`, folded up to `offsets`, hold the signals of `config` and no others. The values of those
/// that the config no longer has are dropped. Those that are new to a store that has folded something get their history
/// from what the log still has below `offsets`: folded in a store beside it, in `dir`_signals, which is gone when they
/// are in, and goes on where it was when this is called again after a crash. What a merge of two ids does not carry is
/// not known to it: a signal that is added later begins, for users who were identified before, with what they did as
/// themselves.
///
/// Cost     nothing when there is nothing to do; else a fold of the log, and a scan of the column `signals`.
/// Errors   those of log and stores; nothing is counted in part: the store's line says which signals are in.
absl::Status AdoptSignals(const StateStores& stores, const std::string& dir, const config::Config& config,
                          const signal::Set& signals, const log::EventLog* log, std::span<const log::Offset> offsets,
                          StateStore* store);

/// Takes a signal out of what the store in `dir` holds, so that the next AdoptSignals gives it its history anew. No
/// State may have `dir` open.
absl::Status ForgetSignal(const StateStores& stores, const std::string& dir, const config::Config& config,
                          uint32_t partitions, uint64_t id);

/// What the store's line says when it holds these.
std::string SignalsLine(const signal::Set& signals);
/// Its key among the formats.
inline constexpr std::string_view kSignalsFormat = "signals";

}  // namespace bowerbird::state
