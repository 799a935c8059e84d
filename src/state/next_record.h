#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "catalog/keys.h"
#include "state/item_record.h"

namespace bowerbird::state {

/// The context that everybody is in: its record has the newest moves of all users, whatever they came from.
inline constexpr catalog::ItemKey kAnywhere{};

/// Moves kept of one item, and of kAnywhere: the newest. A count and not a time, so that the record of a busy item
/// follows the minute and that of a quiet one still has something to say.
inline constexpr uint32_t kMovesMax = 256;
inline constexpr uint32_t kMovesAnywhereMax = 4096;
/// Moves this much older than the newest of their record are dropped.
inline constexpr uint32_t kMovesSpanS = 3 * 86'400;
/// An action this long after the user's last one does not follow from it.
inline constexpr uint32_t kMoveGapS = 2 * 3600;

inline uint32_t MovesMax(catalog::ItemKey from) { return from == kAnywhere ? kMovesAnywhereMax : kMovesMax; }

/// Where users went on to from one item. Adding is commutative and associative, moves that fall out included, so that
/// any order and grouping of events gives the same bytes.
struct NextRecord {
  struct Move {
    catalog::ItemKey to;
    uint32_t time_s = 0;
    friend bool operator==(const Move&, const Move&) = default;
  };
  std::vector<Move> moves;  ///< newest first, ties by key
  void Add(const NextRecord& other, uint32_t moves_max);
};

std::string EncodeNextRecord(const NextRecord& record);
/// DataLoss: not the bytes of a record.
absl::StatusOr<NextRecord> DecodeNextRecord(std::string_view bytes);

/// The moves of counted events by the item that they came from, kAnywhere first, then ascending.
std::vector<std::pair<catalog::ItemKey, NextRecord>> SumMoves(std::span<const ItemEvent> events);

}  // namespace bowerbird::state
