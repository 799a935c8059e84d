#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "catalog/keys.h"
#include "config/config.h"
#include "log/event_log.h"
#include "state/user_mark.h"

namespace bowerbird::app {

/// The positive actions of the log as parallel arrays over dense users and items, for training.
///
/// Data     ordered by user key, then log order; items numbered by ascending key: the same log gives the same arrays.
struct ActionHistory {
  std::vector<catalog::ItemKey> item_keys;  ///< of item number i, ascending
  uint32_t user_count = 0;
  std::vector<uint32_t> users, items;
  std::vector<int64_t> times_us;
  std::vector<float> weights;     ///< > 0
  std::vector<log::Offset> ends;  ///< of each partition: what was read
  uint64_t events = 0;            ///< records read
};

/// Users with what is known of each as a mark by now.
using MarkedUsers = std::vector<std::pair<catalog::UserKey, state::UserMark>>;

/// Reads the events topic, from `from_us` (append time; 0: all of it) on. Left out: what users did before they were
/// forgotten, repeats of a client id, events
/// without an item or weight, every action of a user on an item that the user hid later, and marked traffic: by the
/// marks in what is read, and by those of before `from_us`, of which `marked_before` tells.
absl::StatusOr<ActionHistory> ReadActions(const log::EventLog& log, const config::Config& config, int64_t from_us,
                                          uint32_t threads, const MarkedUsers& marked_before = {});

}  // namespace bowerbird::app
