#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "log/event_log.h"
#include "rows/objectives.h"
#include "rows/request.h"
#include "state/fold.h"

namespace bowerbird::rows {

/// What somebody did under the user's id after another id had become that user: it belongs to what the other id was
/// shown, too.
struct LaterEvent {
  CountedEvent event;
  /// The user had an impression of the item under the own id: without a request id, the event is that one's.
  bool own_impression = false;
};

/// Which of some ids became users, and what these users did within a span of log time. Identities cross partitions, so
/// this is read before any of them is worked on.
///
/// Bounds  memory: the events with an item of those users within the span. An id that has become a user is answered as
///         that user, so that only those who became one soon after they were served are among them.
class Identities {
 public:
  struct Scope {
    const log::EventLog* log;
    const state::FoldPolicy* policy;
    const Objectives* objectives;
    std::span<const log::Offset> begins, ends;  ///< of the events topic
    const absl::flat_hash_set<uint64_t>* ids;   ///< of which it is asked
    LogTimeUs from_us, to_us;                   ///< of what their users did
  };
  static absl::StatusOr<Identities> Read(const Scope& scope);

  struct Becoming {
    LogTimeUs at_us = 0;
    uint64_t user = 0;
  };
  /// Of an id, in log order; empty for nearly every one. One that is said again has no effect before its own time.
  std::span<const Becoming> Of(uint64_t id) const {
    const auto found = becomings_.find(id);
    return found == becomings_.end() ? std::span<const Becoming>() : std::span<const Becoming>(found->second);
  }
  /// Of a user, in log order.
  std::span<const LaterEvent> EventsOf(uint64_t user) const {
    const auto found = events_.find(user);
    return found == events_.end() ? std::span<const LaterEvent>() : std::span<const LaterEvent>(found->second);
  }

 private:
  absl::Status ReadBecomings(const Scope& scope);
  absl::Status ReadEvents(const Scope& scope, uint32_t partition, const absl::flat_hash_set<uint64_t>& users);

  absl::flat_hash_map<uint64_t, std::vector<Becoming>> becomings_;
  absl::flat_hash_map<uint64_t, std::vector<LaterEvent>> events_;
};

}  // namespace bowerbird::rows
