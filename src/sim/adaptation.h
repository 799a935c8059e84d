#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "sim/audience.h"
#include "sim/client.h"
#include "sim/world/world.h"

namespace bowerbird::sim {

/// What a probed user looks over: the first page of their own feed, or as many items drawn from the whole catalog, most
/// of which are of topics that neither the user nor the engine had to do with.
enum class LookedOver { kOwnFeed, kWholeCatalog };

struct AdaptationOptions {
  LookedOver looked_over = LookedOver::kOwnFeed;
  uint32_t probes = 200;
  uint32_t page = 30;
  uint64_t seed = 1;
  /// Monotonic time after which no further probe begins.
  int64_t until_us = 0;
  const std::atomic<bool>* stop = nullptr;
};

struct Adaptation {
  uint64_t probes = 0;
  /// Share of probes whose second page is strictly nearer to the saved item.
  double moved = 0;
  /// Mean change of nearness.
  double shift = 0;
};

/// Asks whether one save changes the next page. For each user drawn (without repeats, among those that had arrived when
/// the history ended): the user looks over some items and saves the one that they truly like best. Page A is asked for
/// before the save, page B after it, both for the same user and size and with the items looked over excluded, so that
/// the two requests differ in the save alone and the saved item itself cannot count. The nearness of a page is the mean
/// of World::TopicSimilarity to the saved item, discounted by position (1 / log2(1 + position)).
///
/// Errors   a probe whose calls fail is not counted; the client counts failures.
Adaptation MeasureAdaptation(world::World& world, const Audience& audience, Client& client, const base::Clock& clock,
                             const AdaptationOptions& options);

}  // namespace bowerbird::sim
