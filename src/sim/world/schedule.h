#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "base/rng.h"
#include "sim/world/taste.h"
#include "sim/world/world.h"

namespace bowerbird::sim::world {

/// When each user comes: gaps around the user's own pace, at the hours when people are up. Independent of what they are
/// shown, so that every policy meets the same visits.
class Schedule {
 public:
  /// `users` must outlive it.
  Schedule(const WorldOptions& options, const std::vector<TrueUser>& users);
  /// The next visit in order of time. Endless: a user who has left comes back now and then.
  Visit Next();

 private:
  struct Entry {
    int64_t time_us;
    uint32_t user;
    bool operator>(const Entry& other) const {
      return time_us != other.time_us ? time_us > other.time_us : user > other.user;
    }
  };
  int64_t After(uint32_t user, int64_t time_us);

  const std::vector<TrueUser>& users_;
  std::vector<base::Rng> rngs_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
};

/// The user's own hour of the day, [0, 24).
double LocalHour(const TrueUser& user, int64_t time_us);

}  // namespace bowerbird::sim::world
