#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "lake/lake.h"
#include "log/managed_log.h"
#include "state/state.h"

namespace bowerbird::forget {

/// The stores of an app, and the files beside them.
struct Stores {
  std::shared_ptr<const config::Config> config;
  catalog::KeyHasher hasher{base::HashSeed{}};
  log::ManagedLog* log = nullptr;
  const log::EventLog* history = nullptr;  ///< the log with what of it is in the lake alone
  lake::Lake* lake = nullptr;
  state::State* state = nullptr;
  catalog::Catalog* catalog = nullptr;
  std::string folder;     ///< the app's
  std::string audit_log;  ///< who administered what, of the folder of all apps
  /// Asked between steps; an error ends the work there.
  std::function<absl::Status()> cancelled;
};

/// The record that says that a user was forgotten: to be appended to the user's partition of topic events.
log::AppendRecord ForgetRecord(catalog::UserKey key, const std::string& id, int64_t now_us, uint32_t partitions);

struct RedactReport {
  uint64_t ids = 0;          ///< forgotten since the last time
  uint64_t log_records = 0;  ///< replaced
  uint64_t lake_rows = 0;
  bool log_by_retention = false;  ///< records of the log cannot be changed; they go with the topics' retention
  double seconds = 0;
};

/// Takes users who were forgotten out of log, lake and files: what names them is replaced by what still counts for
/// items. Ends what an earlier call began: folder/redaction.json says how far the log was looked through, and that a
/// call has not ended. The records that say who was forgotten lose the id last, and files that held what was replaced
/// are written anew after that.
///
/// Threads  one call at a time; everything else goes on.
/// Cost     one pass over topics events (with what of it is in the lake alone, where a partition has users who were
/// forgotten), served, users, dead_letters; over the lake's files that may hold something;
/// and
///          what EraseReplaced and State::Erase say. Nothing where nobody was forgotten.
/// Errors   those of the stores; DataLoss: a file of the lake is damaged: what names somebody may be in it, so the work
///          does not count as done. The next call does all of it again.
absl::StatusOr<RedactReport> Redact(const Stores& stores);

}  // namespace bowerbird::forget
