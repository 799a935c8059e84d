#pragma once

#include <cstdint>
#include <vector>

#include "sim/world/world.h"

namespace bowerbird::sim::world {

/// What an item really is. Beside it stands the public `Item`, which tells only part of this.
struct TrueItem {
  uint32_t topic = 0;
  /// Numbered through all topics.
  uint32_t subtopic = 0;
  uint32_t style = 0;
  uint32_t colour = 0;
  /// Standard normal over the catalog; much of it is its creator's.
  float quality = 0;
  /// How much better its picture looks than it is: draws clicks that disappoint. Around 0.
  float bait = 0;
  int64_t created_time_us = 0;
  /// Fixes its picture and every user's private opinion of it.
  uint64_t seed = 0;
};

struct Catalog {
  /// Both in order of creation, same length: first the items that exist at the history's end, then the future ones.
  std::vector<TrueItem> truth;
  std::vector<Item> items;
};

/// Makes the items of a world and those of its next `kFutureDays`.
/// Cost     about 4 microseconds an item.
Catalog MakeCatalog(const WorldOptions& options);

/// How long after the history's end new items and users still arrive.
inline constexpr double kFutureDays = 60;
inline constexpr int64_t kDayUs = 86'400'000'000;

/// A seed of its own for each purpose, so that a change to one part of the world leaves the others alone.
uint64_t StreamSeed(uint64_t seed, std::string_view purpose);

}  // namespace bowerbird::sim::world
