#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "sim/world/world.h"

namespace bowerbird::sim {

/// What any observer can count: who has seen, hidden and acted on what. Fed with the history while it is imported, then
/// with the live sessions; the popularity policy and the checks of the engine's answers read it.
class Audience {
 public:
  explicit Audience(const world::World& world);
  void Take(world::UserNumber user, int64_t time_us, const world::Action& action);
  void Add(world::ItemNumber item);
  void Withdraw(world::ItemNumber item);

  /// The `n` items most acted on lately (half-life 14 days) that `user` has neither seen nor hidden and that are not in
  /// `shown`.
  std::vector<world::ItemNumber> Popular(world::UserNumber user, uint32_t n,
                                         const std::vector<world::ItemNumber>& shown) const;
  bool HasHidden(world::UserNumber user, world::ItemNumber item) const;
  bool IsWithdrawn(world::ItemNumber item) const { return withdrawn_.contains(item.value); }
  /// The items that exist and are not withdrawn.
  const std::vector<world::ItemNumber>& available() const { return available_; }

 private:
  struct PerUser {
    absl::flat_hash_set<uint32_t> seen;
    absl::flat_hash_set<uint32_t> hidden;
  };
  int64_t origin_us_;
  std::vector<world::ItemNumber> available_;
  absl::flat_hash_set<uint32_t> withdrawn_;
  absl::flat_hash_map<uint32_t, PerUser> users_;
  /// Sum over actions of 2^((time - origin) / half-life): decays relative to later ones without being touched.
  std::vector<double> popularity_;
};

}  // namespace bowerbird::sim
