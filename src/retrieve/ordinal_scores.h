#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "index/ordinal.h"

namespace bowerbird::retrieve {

/// Sums scores by ordinal and remembers who gave most: an open-addressed table, sized once, much smaller than one entry
/// an item of the catalog.
class OrdinalScores {
 public:
  struct Entry {
    index::Ordinal ordinal = index::kNoOrdinal;
    uint32_t best_giver = 0;
    float sum = 0;
    float best = 0;
  };

  /// At most `entries_max` different ordinals may be added.
  explicit OrdinalScores(size_t entries_max) : slots_(std::bit_ceil(2 * entries_max + 2)) {}

  void Add(index::Ordinal ordinal, float score, uint32_t giver) {
    const size_t mask = slots_.size() - 1;
    size_t at = (ordinal.value * uint64_t{0x9e3779b97f4a7c15} >> 20) & mask;
    while (slots_[at].ordinal != ordinal && slots_[at].ordinal != index::kNoOrdinal) at = (at + 1) & mask;
    Entry& entry = slots_[at];
    entry.ordinal = ordinal;
    entry.sum += score;
    if (score > entry.best) {
      entry.best = score;
      entry.best_giver = giver;
    }
  }

  /// In no particular, but repeatable, order; those with kNoOrdinal are empty.
  std::span<const Entry> slots() const { return slots_; }

 private:
  std::vector<Entry> slots_;
};

}  // namespace bowerbird::retrieve
