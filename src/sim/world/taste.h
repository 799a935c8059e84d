#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/world/vocabulary.h"
#include "sim/world/world.h"

namespace bowerbird::sim::world {

inline constexpr uint32_t kSlots = 4;

/// One interest of a user, alive in [from_us, to_us).
struct Interest {
  uint32_t topic = 0;
  int64_t from_us = 0;
  int64_t to_us = 0;
  /// How much the user cares, about .3 to 1.
  double weight = 0;
  /// Liking of each subtopic of the topic, 0 to 1.
  std::array<float, kSubtopicsPerTopic> subtopics{};
  /// contextual: the hour of the day when it is most awake, and whether it belongs to the phone.
  double peak_hour = 0;
  bool on_phone = false;
};

struct TrueUser {
  std::string id;
  std::string name;
  int64_t arrival_us = 0;
  /// Visits a day while active; the user stays away after `leave_us`.
  double visits_per_day = 0;
  int64_t leave_us = 0;
  /// The hour at which this user's day begins, as a shift of everyone's rhythm.
  double hour_shift = 0;
  /// Users of one crowd share a home group of topics, and herding happens within it.
  uint32_t crowd = 0;
  /// Four interests at any time, the strongest first; each is replaced by another one once in a while.
  std::array<std::vector<Interest>, kSlots> slots;
  /// Liking of each style, -1 to 1.
  std::array<float, kStyles> styles{};
  /// How much quality matters, and what others did (herding); around 1.
  double quality_care = 1;
  double conformity = 1;
  /// Liking for what is new.
  double novelty = 0;
  uint64_t seed = 0;

  /// The interest in `slot` at `now_us`.
  const Interest& At(uint32_t slot, int64_t now_us) const;
};

/// Everyone's trends: a topic is in fashion for some days.
class Trends {
 public:
  explicit Trends(const WorldOptions& options);
  /// 0 for no fashion, up to about 1 at the height of one.
  double At(uint32_t topic, int64_t now_us) const;

 private:
  struct Burst {
    int64_t peak_us;
    double width_us;
    double height;
  };
  std::array<std::vector<Burst>, kTopics> bursts_;
};

/// The users that arrive up to kFutureDays after the history's end, in order of arrival.
std::vector<TrueUser> MakeUsers(const WorldOptions& options);

}  // namespace bowerbird::sim::world
