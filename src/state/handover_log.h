#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "log/event_log.h"
#include "state/fold.h"

namespace bowerbird::state {

/// Appends what ids that have become other users hand over to those users' partitions, and marks of users to their own,
/// once for each record that it follows from: one that a process before this one may have appended already is looked
/// for in the log first.
///
/// Threads  any; Send of one partition from one at a time.
/// Cost     one append, durable when it returns, for all handovers of a call; a fold that goes over what was folded
/// before (after a crash, or when state is made again) reads on from the time of each.
/// Errors   those of EventLog: some may have been appended then; a user takes each in once.
class HandoverLog {
 public:
  /// Told of each user who got something, and where it lies; may be empty.
  using Sent = std::function<void(catalog::UserKey user, uint32_t partition, log::Offset offset)>;

  /// Notes the ends of the events topic: beyond them nothing was appended by a process before.
  static absl::StatusOr<HandoverLog> Open(log::EventLog* log, Sent sent);

  absl::Status Send(uint32_t partition, std::span<const Handover> handovers) const;

 private:
  /// What a process before this one said of the users of one partition.
  struct SaidMarks {
    bool read = false;
    /// Offsets of each mark's source, and of its record, ascending.
    absl::flat_hash_map<catalog::UserKey, std::vector<std::pair<log::Offset, log::Offset>>> marks;
    absl::flat_hash_map<catalog::UserKey, log::Offset> forgotten;
  };

  HandoverLog(log::EventLog* log, Sent sent) : log_(log), sent_(std::move(sent)) {}
  absl::StatusOr<bool> IsInLog(const Handover& handover, uint32_t target) const;
  /// Whether the mark, or one that was on its way when its record was first folded, is there.
  absl::StatusOr<bool> IsMarkInLog(const Handover& handover, uint32_t partition) const;
  absl::Status ReadMarks(uint32_t partition, log::Offset from, SaidMarks* said) const;

  log::EventLog* log_;
  Sent sent_;
  std::vector<log::Offset> ends_;
  std::vector<std::unique_ptr<SaidMarks>> said_marks_;  ///< by partition
};

}  // namespace bowerbird::state
