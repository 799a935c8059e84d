#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/rng.h"
#include "base/string_map.h"
#include "sim/world/catalog_maker.h"
#include "sim/world/schedule.h"
#include "sim/world/taste.h"
#include "sim/world/truth.h"
#include "sim/world/world.h"

namespace bowerbird::sim::world {

/// What a user remembers: how tired of each topic, and which items were seen before.
struct Memory {
  struct Seen {
    uint32_t times = 0;
    int64_t last_us = 0;
  };
  std::array<float, kTopics> tired{};
  int64_t tired_at_us = 0;
  uint32_t visits = 0;
  absl::flat_hash_map<uint32_t, Seen> seen;

  /// Lets appetite return up to `now_us`.
  void Rest(int64_t now_us);
  /// What is left of an item's value after what was seen before, in (0, 1].
  double RepeatFactor(uint32_t item, int64_t now_us) const;
};

/// What never changes once a world is made: its forks share it.
struct Ground {
  explicit Ground(const WorldOptions& options);

  Catalog catalog;
  std::vector<TrueUser> users;
  base::StringMap<uint32_t> item_by_id;
};

struct WorldState {
  explicit WorldState(const WorldOptions& world_options);
  /// Goes on from the other's moment.
  WorldState(const WorldState& other);
  WorldState& operator=(const WorldState&) = delete;

  WorldOptions options;
  std::shared_ptr<const Ground> ground;
  const Catalog& catalog;
  const std::vector<TrueUser>& users;
  const base::StringMap<uint32_t>& item_by_id;
  uint32_t user_count = 0;
  std::unique_ptr<Truth> truth;
  std::vector<Memory> memories;
  std::unique_ptr<Schedule> schedule;
  bool has_history = false;
};

struct SessionState {
  const WorldState* world = nullptr;
  uint32_t user = 0;
  Memory* memory = nullptr;  ///< the user's, or `own_memory`
  Memory own_memory;         ///< of a visit that leaves no trace
  Truth* truth = nullptr;    ///< is told what the user did; null: nobody is
  Moment moment;
  base::Rng rng{0};
  int64_t elapsed_us = 0;
  uint32_t position = 0;
  /// How much more the user will look at.
  double patience = 0;

  /// Enjoyment of `item` now, with tiring and repeats; `tired` is the topic's level.
  double ValueNow(uint32_t item, double tired) const;
  double AttractionNow(uint32_t item, double tired) const;
  double Remaining(uint32_t item, double tired) const;
};

/// Chance that the user looks at the item in `place` (from 0) of a page.
double LookProbability(uint32_t place);

}  // namespace bowerbird::sim::world
