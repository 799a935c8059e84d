#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bowerbird::simulation {

/// What a run is made of beside its seed.
struct Options {
  uint32_t steps = 400;
  /// Breaks the state's disk, to see that a run notices: MemoryStateStores::offsets_first.
  bool offsets_first = false;
  /// Prints each step.
  bool trace = false;
};

struct Result {
  /// Of every decision, verdict, answer and stored byte, in order: equal seeds give equal hashes.
  uint64_t trace_hash = 0;
  std::vector<std::string> errors;  ///< what did not hold
  uint64_t events = 0, acknowledged = 0, refused = 0, duplicates = 0, answers = 0, crashes = 0;
};

/// Runs clients, network, collect, log, state, catalog and serve on one thread, on disks in memory and under a clock
/// that jumps, with every decision drawn from `seed`: requests that are lost, late, doubled or overtaken, answers that
/// are lost, writes that fail, and crashes at any point between two steps, which lose what was not durable. Checks
/// throughout that what was acknowledged is in effect once, and that what was hidden or withdrawn is not served; at the
/// end that everything sent is in effect exactly once and that the state equals a replay.
Result RunSeed(uint64_t seed, const Options& options);

}  // namespace bowerbird::simulation
