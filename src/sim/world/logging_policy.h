#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "base/string_map.h"
#include "sim/world/vocabulary.h"
#include "sim/world/world.h"

namespace bowerbird::sim::world {

/// What the product showed before it had an engine: popular, new, topical and random items mixed. Knows only what is
/// public.
///
/// Cost     a page of 24: about 3 microseconds, and a sort of the popular list every six simulated hours.
class LoggingPolicy {
 public:
  /// `items` in order of creation; must outlive it.
  LoggingPolicy(const WorldOptions& options, std::span<const Item> items, uint32_t users);
  std::vector<ItemNumber> Page(uint32_t user, int64_t now_us, uint32_t n);
  void Observe(uint32_t user, int64_t now_us, const Action& action);

 private:
  uint32_t Draw(uint32_t user, int64_t now_us);
  void RankPopular(int64_t now_us);

  std::span<const Item> items_;
  base::Rng rng_;
  std::vector<uint32_t> topic_of_;
  /// Items that exist, by public topic, in order of creation.
  std::array<std::vector<uint32_t>, kTopics> by_topic_;
  uint32_t existing_ = 0;
  /// Decayed clicks, as of each item's last one.
  std::vector<double> clicks_;
  std::vector<int64_t> clicked_at_us_;
  std::vector<uint32_t> popular_;
  int64_t ranked_at_us_ = 0;
  std::vector<std::array<float, kTopics>> user_topics_;
};

}  // namespace bowerbird::sim::world
