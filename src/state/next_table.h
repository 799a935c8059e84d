#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "absl/container/btree_map.h"
#include "catalog/keys.h"
#include "state/item_table.h"
#include "state/next_record.h"

namespace bowerbird::state {

/// The items of all NextRecords as requests read them; part of an ItemTable.
///
/// Data     one list an item, shared by tables for as long as it does not change.
/// Threads  immutable.
class NextTable {
 public:
  /// Where users went on to from `from`; kAnywhere: whatever they came from. Null when nobody did within kMovesSpanS
  /// before the table's time.
  const NextItems* Find(catalog::ItemKey from) const;

 private:
  friend class NextTableBuilder;
  static constexpr size_t kShards = 1024;
  struct Shard {
    std::vector<catalog::ItemKey> froms;  ///< ascending
    std::vector<std::shared_ptr<const NextItems>> items;
  };
  std::array<std::shared_ptr<const Shard>, kShards> shards_;
  int64_t oldest_us_ = 0;  ///< lists whose newest move is older are not shown
};

/// Counts moves in memory, from which tables are published.
///
/// Threads  one at a time.
/// Bounds   memory: 16 bytes a move, at most kMovesMax an item, of items from which somebody moved on within two spans.
///          Build: summing the lists that changed (at most kMovesMax moves each), and 24 bytes an item of their shards.
class NextTableBuilder {
 public:
  /// What the store holds; before the first Absorb.
  void Load(catalog::ItemKey from, NextRecord record);
  /// `change` numbers it.
  void Absorb(std::span<const ItemEvent> events, uint64_t change = 1);
  /// The own records that changed after change `since`; 0: all.
  void VisitOwn(uint64_t since, const std::function<void(catalog::ItemKey, const NextRecord&)>& visit) const;
  /// What another node has counted, in the place of what was known of it.
  void SetPeer(uint32_t peer, catalog::ItemKey from, NextRecord record);
  void ClearPeer(uint32_t peer);
  std::shared_ptr<const NextTable> Build(int64_t time_us);
  uint64_t memory_bytes() const { return memory_bytes_; }  ///< as of the last Build

 private:
  struct Context {
    NextRecord record;
    std::vector<NextRecord> peers;           ///< by peer; empty without other nodes
    std::shared_ptr<const NextItems> items;  ///< null after a change
    uint64_t changed = 0;                    ///< by which change, of `record`
    uint32_t newest_s() const;               ///< 0: no moves
    size_t memory_bytes() const;
    NextRecord All(catalog::ItemKey from) const;
  };
  struct Shard {
    absl::btree_map<catalog::ItemKey, Context> contexts;
    std::shared_ptr<const NextTable::Shard> published;  ///< null after a change
    uint32_t oldest_s = UINT32_MAX;                     ///< no context's newest move is older
    size_t memory_bytes = 0;                            ///< as of `published`
  };
  static size_t ShardOf(catalog::ItemKey from) { return from.value >> 54; }
  void DropOld(int64_t time_us, Shard* shard);

  friend class NextTable;
  std::array<Shard, NextTable::kShards> shards_;
  uint64_t memory_bytes_ = 0;
};

/// Sums a record by item: of the moves from newest to oldest, the p-th counts 2^(-p / (0.4 * moves_max)) times
/// 2^(-age / kMoveHalfLifeUs), age from the newest on. Keeps the kNextItemsMax greatest sums, kNextAnywhereMax of
/// kAnywhere.
NextItems SumByNext(catalog::ItemKey from, const NextRecord& record);
inline constexpr uint32_t kNextItemsMax = 64;
inline constexpr uint32_t kNextAnywhereMax = 512;

}  // namespace bowerbird::state
