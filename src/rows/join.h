#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "base/string_map.h"
#include "bowerbird/v1/served.pb.h"
#include "config/config.h"
#include "log/event_log.h"
#include "rows/identities.h"
#include "rows/objectives.h"
#include "rows/request.h"
#include "rows/user_history.h"
#include "state/fold.h"
#include "state/user_mark.h"

namespace bowerbird::rows {

/// What was served in a span of time, joined with what came of it: the one place that knows which event belongs to
/// which answer, for training rows and for evaluation alike (request.h has the rules).
///
/// Threads  one.
/// Bounds   memory: what was served from one partition in the span and the longest window around it, with those users'
///          states; identities.h.
class Join {
 public:
  struct Span {
    int64_t from_us = 0, to_us = 0;  ///< by the append times of the requests, [from_us, to_us)
    /// Asked now and then; an error ends the work and is returned. May be empty.
    std::function<absl::Status()> on_step;
  };
  /// All outlive it. `log` reaches back as far as there is anything (lake/log_with_history.h).
  Join(const config::Config* config, const Objectives* objectives, const log::EventLog* log, Span span);

  /// Once, before all that follows. FailedPrecondition: events or answers of the span are gone.
  absl::Status Begin();
  /// How far the log was read: labels know nothing of what was appended later.
  LogTimeUs as_of_us() const { return as_of_us_; }
  uint32_t partitions() const { return static_cast<uint32_t>(served_ends_.size()); }

  /// The requests of one partition in the order of the log, those around the span included, which have no record;
  /// valid until the next call. A request's labels are final once `as_of_us` has passed its windows.
  absl::StatusOr<std::vector<Request>*> ReadPartition(uint32_t partition);
  /// Served records of one partition that were appended in [from_us, to_us). A visit that returns Cancelled ends it.
  absl::Status ForEachServed(uint32_t partition, int64_t from_us, int64_t to_us,
                             const std::function<absl::Status(const log::Record&)>& visit);

  uint64_t events() const { return events_; }  ///< records of the events topic looked at
  /// Counted events of those users, with an item, that no request explains.
  uint64_t unattributed() const { return unattributed_; }
  /// Append times of the served records of the partition that could not be read.
  const std::vector<int64_t>& undecodable_us() const { return undecodable_us_; }

 private:
  /// A user of whom requests are in the partition.
  struct User {
    UserHistory history;
    std::vector<uint32_t> requests;  ///< by user_offset
    size_t next = 0;                 ///< the first of which the sequence is not taken yet
    std::vector<std::pair<LogTimeUs, state::UserMark>> marks;
  };

  absl::StatusOr<log::Offset> FirstOf(log::Topic topic, uint32_t partition) const;
  absl::StatusOr<absl::flat_hash_set<uint64_t>> ServedIds();
  absl::Status ReadRequests(uint32_t partition);
  absl::Status FoldEvents(uint32_t partition);
  void Mark(const User& user);
  void LeaveOut(log::Offset forgotten, const User& user);
  void TakeSequences(log::Offset offset, User* user);
  bool Attribute(const CountedEvent& event, const User& user);
  void AttributeLaterEvents();

  const Objectives& objectives_;
  const log::EventLog& log_;
  const Span span_;
  const state::FoldPolicy policy_;
  LogTimeUs as_of_us_ = 0;
  std::vector<log::Offset> event_begins_, event_ends_, served_ends_;
  Identities identities_;
  uint64_t events_ = 0, unattributed_ = 0;
  v1::ServedRecord record_;  ///< reused, so that its memory is allocated once

  // Of one partition.
  std::vector<Request> requests_;
  std::vector<uint32_t> by_offset_;
  base::StringMap<uint32_t> by_id_;
  absl::flat_hash_map<uint64_t, User> users_;
  std::vector<int64_t> undecodable_us_;
};

}  // namespace bowerbird::rows
