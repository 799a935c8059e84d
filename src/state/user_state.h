#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/keys.h"
#include "signal/definition.h"
#include "state/user_mark.h"

namespace bowerbird::state {

/// One action of a user, 16 bytes, as stored.
struct Action {
  catalog::ItemKey item;
  uint32_t time_s = 0;         ///< event time, seconds since the epoch
  uint8_t type = 0;            ///< config::EventType::code
  uint8_t surface = 0;         ///< ordinal of the surface in the config + 1; 0 = none or unknown
  uint16_t strength_bf16 = 0;  ///< the event's weight for learning (type's weight x its value's share), >= 0
};
static_assert(sizeof(Action) == 16);

struct Affinity {
  std::string category;
  float weight = 0;  ///< decayed to time_us
  int64_t time_us = 0;
  /// The weight at `now_us`.
  double At(int64_t now_us, int64_t half_life_us) const;
};

struct SeenItem {
  catalog::ItemKey item;
  uint32_t time_s = 0;
  uint32_t count = 0;  ///< impressions, saturating
};

struct CollectionState {
  std::string name;
  std::vector<catalog::ItemKey> items;
};

/// A user as of one point of the log: an immutable copy that a request works on.
struct UserState {
  catalog::UserKey key;
  std::string id;  ///< empty for a user without events
  UserMark mark;
  std::string becomes;  ///< the user that this id has become: the rest is there, not here; mostly empty
  std::vector<catalog::UserKey> merged;  ///< the ids that have become this user, in the order of the last merge
  uint64_t offset = 0;                   ///< the user's partition was folded up to here (exclusive)
  uint64_t events = 0;
  int64_t first_time_us = 0, last_time_us = 0;
  std::vector<Action>
      actions;  ///< at most state.sequence_max, oldest first; events with an item, impressions and hides apart
  std::vector<SeenItem> seen;            ///< sorted by key; bounded; impressions and actions
  std::vector<catalog::ItemKey> hidden;  ///< sorted
  std::vector<CollectionState> collections;
  std::vector<Affinity> affinities;  ///< at most state.affinity_top
  /// The user's values of the declared signals, in the order of `signal_set`. Null: nothing is declared, or nothing was
  /// counted.
  std::shared_ptr<const std::vector<std::string>> signals;
  std::shared_ptr<const signal::Set> signal_set;  ///< null only in a state made by hand
  const SeenItem* FindSeen(catalog::ItemKey item) const;
  bool IsHidden(catalog::ItemKey item) const;
};

}  // namespace bowerbird::state
