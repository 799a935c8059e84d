#include "index/key_directory.h"

#include <algorithm>
#include <bit>

namespace bowerbird::index {

KeyDirectory::KeyDirectory(std::span<const uint64_t> keys) {
  // Runs of about four keys: one cache line of keys and one of starts a search.
  const uint32_t bits = std::max<uint32_t>(1, static_cast<uint32_t>(std::bit_width(keys.size() / 8)));
  shift_ = 64 - bits;
  const size_t runs = size_t{1} << bits;
  starts_.reserve(runs + 1);
  uint32_t at = 0;
  for (size_t run = 0; run < runs; ++run) {
    starts_.push_back(at);
    while (at < keys.size() && (keys[at] >> shift_) == run) ++at;
  }
  starts_.push_back(at);
}

Ordinal KeyDirectory::Find(std::span<const uint64_t> keys, catalog::ItemKey key) const {
  if (starts_.empty()) return kNoOrdinal;
  const size_t run = key.value >> shift_;
  const auto end = keys.begin() + starts_[run + 1];
  const auto found = std::lower_bound(keys.begin() + starts_[run], end, key.value);
  if (found == end || *found != key.value) return kNoOrdinal;
  return Ordinal(static_cast<uint32_t>(found - keys.begin()));
}

}  // namespace bowerbird::index
