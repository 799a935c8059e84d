#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_codec.h"
#include "base/string_map.h"
#include "catalog/keys.h"

namespace bowerbird::signal {
class Set;
}

namespace bowerbird::state {

/// What the world did with one item, as of a table's version.
struct ItemCounts {
  uint64_t impressions = 0;
  uint64_t actions = 0;    ///< positive events
  uint64_t negatives = 0;  ///< negative events
  double weight = 0;       ///< sum of positive weights
};

struct RankedItem {
  catalog::ItemKey item;
  float score = 0;
};

/// A move counts half after this long.
inline constexpr int64_t kMoveHalfLifeUs = int64_t{8} * 3600 * 1'000'000;

/// Where users went on to from one item.
struct NextItems {
  int64_t newest_us = 0;          ///< of the newest move
  double total = 0;               ///< decayed number of moves, as of newest_us, those to items beyond `items` included
  std::vector<RankedItem> items;  ///< each item's part of `total`; best first, ties by key
};

/// An item's values of the signals per item, by slot of their set, one after the other.
class ItemSignalValues {
 public:
  /// The value of the next slot; empty: nothing was counted.
  void Add(std::string_view value) { base::PutString(value, &packed_); }
  std::string_view At(size_t slot) const {
    base::Reader in(packed_);
    for (size_t before = 0; before < slot; ++before) in.String();
    return in.String();
  }
  size_t bytes() const { return packed_.capacity(); }

 private:
  std::string packed_;
};

/// Per-item counters at one instant: immutable, published every few seconds. Equal folded offsets and time give equal
/// tables, bit for bit, so that a past table can be made again from the log.
class ItemTable {
 public:
  virtual ~ItemTable() = default;
  virtual uint64_t version() const = 0;
  virtual int64_t time_us() const = 0;
  /// End offset folded of each events partition.
  virtual std::span<const uint64_t> offsets() const = 0;
  /// Null when the item has no events.
  virtual const ItemCounts* Find(catalog::ItemKey item) const = 0;
  /// The best items by decayed positive weight for the trending generator `name` (config), or by total weight for a
  /// popular one: best first, ties by key; at most 4 x the generator's count, so that filters leave enough. Empty for
  /// an unknown name.
  virtual std::span<const RankedItem> Top(std::string_view generator) const = 0;
  /// Where users went on to from `item` lately; the default key: whatever they came from. Null when nobody did
  /// (next_table.h).
  virtual const NextItems* Next(catalog::ItemKey item) const = 0;
  /// The signals per item; null: this table has none.
  virtual const signal::Set* signal_set() const { return nullptr; }
  /// The item's values of them, by slot; null when nothing was counted of it.
  virtual const ItemSignalValues* Signals(catalog::ItemKey) const { return nullptr; }
};

}  // namespace bowerbird::state
