#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "index/ordinal.h"

namespace bowerbird::index {

/// The ordinals whose content in the snapshot is out of date: a bitmap in shared blocks, so that a copy with one more
/// bit costs one block.
///
/// Threads  const members from any thread; copies are independent.
class ChangedOrdinals {
 public:
  bool Contains(Ordinal ordinal) const {
    const size_t block = ordinal.value / kBlockBits;
    if (block >= blocks_.size() || blocks_[block] == nullptr) return false;
    const uint32_t bit = ordinal.value % kBlockBits;
    return ((*blocks_[block])[bit / 64] >> (bit % 64)) & 1;
  }
  /// Blocks that other copies share are copied first.
  void Add(std::span<const Ordinal> ordinals);
  /// Takes the changed ones out of `words`, one bit an ordinal.
  void RemoveFrom(std::span<uint64_t> words) const;

 private:
  static constexpr uint32_t kBlockBits = 32768;
  using Block = std::array<uint64_t, kBlockBits / 64>;
  std::vector<std::shared_ptr<const Block>> blocks_;  ///< null: none changed
};

}  // namespace bowerbird::index
