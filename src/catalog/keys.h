#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "base/hash.h"
#include "base/strong_id.h"

namespace bowerbird::catalog {

/// Keyed 64-bit hashes of external ids. The seed is secret, one an app; the id string is stored beside the key and
/// compared on every load, so that a collision is refused instead of mixing two users.
using ItemKey = base::StrongId<struct ItemKeyTag, uint64_t>;
using UserKey = base::StrongId<struct UserKeyTag, uint64_t>;

class KeyHasher {
 public:
  explicit KeyHasher(const base::HashSeed& seed) : seed_(seed) {}
  ItemKey Item(std::string_view id) const { return ItemKey(base::KeyedHash64(seed_, id)); }
  UserKey User(std::string_view id) const { return UserKey(base::KeyedHash64(seed_, id)); }
  /// Print of an event's client id for one user, never 0.
  uint64_t DedupePrint(UserKey user, std::string_view client_id) const {
    const uint64_t print = base::CombineHash(user.value, base::KeyedHash64(seed_, client_id));
    return print == 0 ? 1 : print;
  }

 private:
  base::HashSeed seed_;
};

/// The user's partition: the high bits of the key, so that doubling `partitions` (a power of two) splits each cleanly
/// in two.
inline uint32_t PartitionOf(UserKey user, uint32_t partitions) {
  return partitions <= 1 ? 0 : static_cast<uint32_t>(user.value >> (64 - std::countr_zero(partitions)));
}

/// How categories are compared in compact tables: an unkeyed hash, the same everywhere.
inline uint64_t CategoryHash(std::string_view category) { return base::Hash64(category); }

}  // namespace bowerbird::catalog
