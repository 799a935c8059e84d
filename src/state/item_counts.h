#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/keys.h"
#include "log/event_log.h"
#include "state/partition_range.h"

namespace bowerbird::state {

/// What some partitions together have counted of an item for one signal per item.
struct ItemSignalBlock {
  uint64_t id = 0;            ///< signal::Definition::id
  PartitionRange partitions;  ///< a node of the tree of partition_blocks.h
  std::string value;
};

/// What one state has counted of items in the partitions that it folds: everything, or what has changed since another
/// was taken. Sums are whole, not differences, so that taking one twice changes nothing.
struct ItemCountsDelta {
  struct One {
    catalog::ItemKey item;
    std::string record;  ///< an ItemRecord, of which only the buckets that trending lists need; empty: as before
    std::string next;    ///< a NextRecord; empty: as before
    std::vector<ItemSignalBlock> signals;  ///< of all signals that have a value; empty: as before
  };
  uint64_t epoch = 0;                ///< of the state's opening: changes are numbered anew by each
  uint64_t change = 0;               ///< up to which change
  bool whole = false;                ///< everything, not what changed
  std::vector<log::Offset> offsets;  ///< how far each partition was folded; 0 for those of others
  std::vector<One> items;
};

}  // namespace bowerbird::state
