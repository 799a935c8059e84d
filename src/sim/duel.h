#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "sim/client.h"
#include "sim/world/world.h"

namespace bowerbird::sim {

/// Whether one surface serves users better than another, by what the pages are truly worth to them.
///
/// Each visit of the world is served by one of several surfaces, and a user's visits go through them in turn, so that
/// every user is compared with themself. World time is the clock's: pages are asked for and events happen when the
/// world says, sessions one after the other and kSpeed times as fast as the world's users browse.
///
/// Threads  one.
class Duel {
 public:
  static constexpr int64_t kSpeed = 16;
  static constexpr uint32_t kPagesMax = 50;  ///< of one session

  struct Options {
    uint32_t page = 12;
    uint64_t seed = 1;  ///< of the surface that a user's first visit gets
    std::function<int64_t()> now_us;
    /// Moves the clock on; never back.
    std::function<void(int64_t)> advance_to;
  };
  /// Both outlive it. The engine knows world->Items() and its history.
  Duel(world::World* world, Client* client, Options options);

  /// Serves the visits before `until_us` by `surfaces` in turn. With `judged` false, what they are worth is forgotten.
  absl::Status Run(int64_t until_us, const std::vector<std::string>& surfaces, bool judged);

  struct Outcome {
    uint64_t sessions = 0;
    double utility = 0;  ///< a session
  };
  Outcome Of(const std::string& surface) const;
  struct Difference {
    uint64_t users = 0;  ///< with sessions of both
    double mean = 0, low = 0, high = 0;
  };
  /// Utility a session by `a` less that by `b`, over the users who had both, and its 95% interval.
  /// Source  percentile bootstrap over users (Efron and Tibshirani 1993), 2,000 resamples under the seed: each user's
  ///         sessions stay together.
  Difference Compare(const std::string& a, const std::string& b) const;
  uint64_t visits() const { return visits_; }
  uint64_t events() const { return events_; }

 private:
  struct Total {
    double utility = 0;
    uint64_t sessions = 0;
  };
  absl::Status Visit(const world::Visit& visit, const std::string& surface, double* utility);

  world::World& world_;
  Client& client_;
  const Options options_;
  std::optional<world::Visit> next_;
  std::map<uint32_t, uint32_t> turns_;  ///< visits by user
  std::map<std::string, std::map<uint32_t, Total>> totals_;
  int64_t world_now_us_;
  uint64_t visits_ = 0, events_ = 0;
};

}  // namespace bowerbird::sim
