#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "sim/adaptation.h"
#include "sim/audience.h"
#include "sim/client.h"
#include "sim/share_of_oracle.h"
#include "sim/world/world.h"

namespace bowerbird::sim {

struct BrowseOptions {
  /// How long to browse, the adaptation probes included.
  double seconds = 60;
  /// Ends the browsing (not the probes) after this many visits; 0 for no such end.
  uint64_t visits_max = 0;
  /// The share of the oracle is that of so many visits, the first ones; 0: of all. World time runs with the requests,
  /// so that a faster engine would else be asked about a later world, and be judged more severely.
  uint64_t judged_visits = 5'000;
  uint64_t seed = 1;
  /// Items a page, in all four policies; at most 200.
  uint32_t page = 12;
  /// Users probed for `adapted`, and the items of each probed page.
  uint32_t probes = 200;
  uint32_t probe_page = 30;
  /// Items withdrawn in the course of it, evenly spread over the first visits.
  uint32_t withdrawals = 20;
  /// 0: as fast as the engine answers. For a demo with a person in it: a few a second.
  double visits_per_second_max = 0;
  /// Ends early when true; may be null.
  const std::atomic<bool>* stop = nullptr;
};

struct BrowseReport {
  uint64_t events_acknowledged = 0;
  uint64_t requests = 0;
  uint64_t failed_requests = 0;
  uint64_t sessions = 0;
  uint64_t items_added = 0;
  uint64_t items_withdrawn = 0;
  /// Whole `Recommend` calls, as the client saw them.
  double p50_ms = 0;
  double p99_ms = 0;
  /// Items that came twice within the pages of one chain.
  uint64_t duplicates = 0;
  /// Items served although their user had hidden them, or after they were withdrawn.
  uint64_t hidden_shown = 0;
  /// Items served that the world does not know.
  uint64_t unknown_shown = 0;
  ShareOfOracle utility;
  /// Whether one save moves the next page: of users who saved from their own feed, and, as the harder question, from
  /// items drawn from the whole catalog (half as many probes).
  Adaptation adapted;
  Adaptation adapted_discovery;
};

/// Lets the world's users browse after its history: each visit in the order of the schedule, its user served by one of
/// four policies drawn once a user. Only the personal policy asks the engine; the events of all are sent to it, as in
/// an experiment on one product. World time runs as fast as the requests allow; events carry the clock's time.
///
/// Data     `audience` has taken the whole history. The engine knows world->Items() and the history.
/// Errors   the client's, when 20 calls in a row failed; single failures are counted and end their session.
absl::StatusOr<BrowseReport> Browse(world::World* world, Audience* audience, Client* client, const base::Clock* clock,
                                    const BrowseOptions& options);

}  // namespace bowerbird::sim
