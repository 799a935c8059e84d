#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "bowerbird/v1/item.pb.h"
#include "catalog/keys.h"
#include "config/config.h"
#include "index/item_values.h"
#include "index/ordinal.h"
#include "index/snapshot.h"

namespace bowerbird::index {

/// An item's newest content, or its deletion, beside one snapshot. Immutable once made; not movable, because `values`
/// points into `item`.
struct DeltaItem {
  catalog::ItemKey key;
  uint64_t offset = 0;           ///< of its record
  Ordinal ordinal = kNoOrdinal;  ///< in the snapshot, where it is there too
  bool deleted = false;          ///< then what follows is empty
  bool eligible = false;
  bool factor_trained = false;  ///< the snapshot's row of `ordinal` is its factor: it was learned from events
  v1::Item item;
  std::vector<uint64_t> categories;  ///< catalog::CategoryHash, in the item's order
  ItemValues values;
  std::vector<float> factor;  ///< predicted; empty where factor_trained, or without a model

  DeltaItem() = default;
  DeltaItem(const DeltaItem&) = delete;
  DeltaItem& operator=(const DeltaItem&) = delete;
};

/// `item` null: deleted. `snapshot` may be null.
std::shared_ptr<const DeltaItem> MakeDeltaItem(catalog::ItemKey key, uint64_t offset, const v1::Item* item,
                                               const ItemReader& reader, const config::Config& config,
                                               const Snapshot* snapshot);

/// Changes as an LSM: sorted immutable levels, each more than twice as large as the next younger one, so that a copy
/// with more changes shares most of them.
///
/// Threads  immutable.
class DeltaLevels {
 public:
  using Pointer = std::shared_ptr<const DeltaItem>;

  /// A copy with `changes` (ascending keys, each once) on top.
  DeltaLevels With(std::vector<Pointer> changes) const;
  /// The newest change of the key; null without one.
  const DeltaItem* Find(catalog::ItemKey key) const;
  /// The newest change of each key, in key order, deletions included.
  void ForEach(absl::FunctionRef<void(const Pointer&)> visit) const;
  size_t level_count() const { return levels_.size(); }

 private:
  /// The key beside the pointer: searches and merges do not touch the items.
  struct Entry {
    catalog::ItemKey key;
    Pointer item;
  };
  using Level = std::vector<Entry>;
  static Level Merge(const Level& older, const Level& newer);

  std::vector<std::shared_ptr<const Level>> levels_;  ///< oldest and largest first
};

}  // namespace bowerbird::index
