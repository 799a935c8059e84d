#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bowerbird/v1/event.pb.h"
#include "log/event_log.h"
#include "rows/objectives.h"
#include "state/user_state.h"

namespace bowerbird::rows {

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

/// When something was said, in the order of the log: the greatest append time of its partition up to and with it. It
/// never falls, and whatever is appended later has at least as great a one. So a label that looks at nothing above a
/// time is the same for ever once the log has passed it.
using LogTimeUs = int64_t;

/// What became of an item that a request showed.
struct ShownItem {
  uint64_t item = 0;
  uint32_t position = 0;
  LogTimeUs seen_us = kNever;  ///< of the first impression
  uint64_t hits = 0;           ///< bit i: objective i was met in time
};

/// A served record while its labels are gathered.
struct Request {
  uint32_t partition = 0;  ///< of the served topic
  log::Offset offset = 0;
  int64_t append_time_us = 0;
  std::string record;  ///< v1::ServedRecord, as stored; empty: no row of the set, it only takes part in attribution
  std::string id;
  uint64_t user = 0;
  int64_t time_us = 0;
  log::Offset user_offset = 0;
  std::vector<ShownItem> shown;
  LogTimeUs impressed_us = kNever;  ///< of its first impression
  bool marked = false;              ///< the user was found to be no person by the time that the last window closed

  /// An action on a shown item.
  struct Act {
    LogTimeUs time_us = 0;
    uint32_t position = 0;
  };
  std::vector<Act> acts;
  /// The user's actions as of user_offset; null: none.
  std::shared_ptr<const std::vector<state::Action>> sequence;
  /// Log time of the newest record below user_offset; 0: none.
  LogTimeUs folded_us = 0;

  ShownItem* Find(uint64_t item) {
    for (ShownItem& shown_item : shown) {
      if (shown_item.item == item) return &shown_item;
    }
    return nullptr;
  }
};

/// By what an item counts as seen.
enum class SeenBy : uint8_t {
  kNothing,       ///< nothing was said of the request: nobody knows
  kImpressions,   ///< exactly the items that an impression names
  kLastPosition,  ///< the client sent none: those down to the last position acted on
};

/// What is known of a request up to and with a log time.
class SeenUntil {
 public:
  SeenUntil(const Request& request, LogTimeUs until_us);
  SeenBy by() const { return by_; }
  bool Saw(const ShownItem& item) const {
    return by_ == SeenBy::kImpressions ? item.seen_us <= until_us_
                                       : by_ == SeenBy::kLastPosition && item.position <= last_position_;
  }

 private:
  LogTimeUs until_us_;
  SeenBy by_ = SeenBy::kNothing;
  uint32_t last_position_ = 0;
};

/// An event that was counted, as attribution looks at it.
struct CountedEvent {
  uint64_t user = 0, item = 0;
  int64_t time_us = 0;  ///< event time
  LogTimeUs log_us = 0;
  uint32_t position = 0;
  bool impression = false;
  uint64_t objectives = 0;  ///< bits
  std::string request_id;
};

/// Of the requests of one user (indexes into `all`, in log order), the one that the item of an event without a request
/// id came from: the last one with an impression of it before the event; without any, the last one that showed it and
/// of which no impression was sent at all. An impression itself belongs to the last one that showed the item.
std::optional<uint32_t> LastRequestOf(const CountedEvent& event, const std::vector<uint32_t>& of_user,
                                      std::vector<Request>* all, int64_t window_us);

/// Notes what the event says of the request: seen, acted on, objectives met within their windows. False: the request
/// did not show the item.
bool Note(const CountedEvent& event, const Objectives& objectives, Request* request);

}  // namespace bowerbird::rows
