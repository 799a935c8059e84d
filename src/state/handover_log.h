#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "log/event_log.h"
#include "state/fold.h"

namespace bowerbird::state {

/// Appends what ids that have become other users hand over to those users' partitions, once for each record that it
/// follows from: one that a process before this one may have appended already is looked for in the log first.
///
/// Threads  any.
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
  HandoverLog(log::EventLog* log, Sent sent) : log_(log), sent_(std::move(sent)) {}
  absl::StatusOr<bool> IsInLog(const Handover& handover, uint32_t target) const;

  log::EventLog* log_;
  Sent sent_;
  std::vector<log::Offset> ends_;
};

}  // namespace bowerbird::state
