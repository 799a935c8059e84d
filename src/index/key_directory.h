#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "catalog/keys.h"
#include "index/ordinal.h"

namespace bowerbird::index {

/// Finds a key among ascending keys: the high bits name a short run, which is searched. Keys are hashes, so runs are
/// even; keys made up otherwise are still found, by a longer search.
class KeyDirectory {
 public:
  KeyDirectory() = default;
  /// `keys` strictly ascending, at most 2^32 - 2 of them.
  explicit KeyDirectory(std::span<const uint64_t> keys);
  /// `keys` as given to the constructor.
  Ordinal Find(std::span<const uint64_t> keys, catalog::ItemKey key) const;

 private:
  uint32_t shift_ = 63;
  std::vector<uint32_t> starts_;  ///< of the run of each value of the high bits; one more at the end
};

}  // namespace bowerbird::index
