#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "forget/forgotten.h"
#include "log/managed_log.h"
#include "signal/definition.h"

namespace bowerbird::forget {

/// What a record of the log is to become. Deciding on an event needs the fold of its user up to there: that is a walk
/// over the partition (ChangesIn); a row of the lake has the same record of the log to look at, where it is still
/// there.
struct RecordChanges {
  log::ManagedLog* log = nullptr;
  const log::EventLog* history = nullptr;  ///< the log with what of it is in the lake alone
  const config::Config* config = nullptr;
  const signal::Set* item_signals = nullptr;  ///< the config's, per item
  const ForgottenUsers* forgotten = nullptr;
  std::function<absl::Status()> cancelled;  ///< asked often; an error ends the work; may be empty

  /// The topics that hold records of users.
  static constexpr log::Topic kTopics[] = {log::Topic::kServed, log::Topic::kUsers, log::Topic::kDeadLetters,
                                           log::Topic::kExposures, log::Topic::kEvents};

  /// The records of one partition of another topic than events that are to be replaced, ascending: what names forgotten
  /// users.
  absl::StatusOr<std::vector<log::ManagedLog::Replacement>> ChangesIn(log::Topic topic, uint32_t partition) const;
  /// The same of topic events, by partition, but for the records that say that users were forgotten. `begins` is where
  /// each partition was looked at from: one of users who were forgotten from the begin of its history, so that what is
  /// in the lake alone is decided on by the same fold.
  struct EventChanges {
    std::vector<log::Offset> begins;
    std::vector<std::vector<log::ManagedLog::Replacement>> replacements;
  };
  absl::StatusOr<EventChanges> ChangesInEvents() const;
  /// The same of a record that lies elsewhere too, with what the log has become for it; nothing: it stays.
  std::optional<log::ManagedLog::Replacement> ChangeOf(log::Topic topic, uint32_t partition,
                                                       const log::Record& record) const;

 private:
  using Replacement = log::ManagedLog::Replacement;
  absl::Status ForEach(log::Topic topic, uint32_t partition,
                       const std::function<absl::Status(const log::Record&)>& visit) const;
  /// Every record of topic events from `begins` on, by partition in order.
  absl::Status ForEachEvent(std::vector<log::Offset> begins,
                            const std::function<absl::Status(uint32_t partition, const log::Record&)>& visit) const;
  absl::StatusOr<std::vector<Replacement>> UserChanges(uint32_t partition) const;
  std::optional<Replacement> ServedChange(const log::Record& record) const;
  std::optional<Replacement> ExposureChange(const log::Record& record) const;
  std::optional<Replacement> DeadLetterChange(const log::Record& record) const;
  std::optional<Replacement> EventChange(uint32_t partition, const log::Record& record) const;
};

}  // namespace bowerbird::forget
