#include "state/next_record.h"

#include <algorithm>
#include <limits>

#include "base/byte_codec.h"

namespace bowerbird::state {
namespace {

bool Newer(const NextRecord::Move& a, const NextRecord::Move& b) {
  return a.time_s != b.time_s ? a.time_s > b.time_s : a.to < b.to;
}

/// Of moves in order: what a record keeps.
void Cut(uint32_t moves_max, std::vector<NextRecord::Move>* moves) {
  if (moves->size() > moves_max) moves->resize(moves_max);
  if (moves->empty()) return;
  const uint32_t newest_s = moves->front().time_s;
  while (newest_s - moves->back().time_s > kMovesSpanS) moves->pop_back();
}

}  // namespace

void NextRecord::Add(const NextRecord& other, uint32_t moves_max) {
  std::vector<Move> merged(moves.size() + other.moves.size());
  std::merge(moves.begin(), moves.end(), other.moves.begin(), other.moves.end(), merged.begin(), Newer);
  moves = std::move(merged);
  Cut(moves_max, &moves);
}

std::string EncodeNextRecord(const NextRecord& record) {
  std::string out;
  out.reserve(4 + record.moves.size() * 10);
  base::PutVarint(record.moves.size(), &out);
  for (const NextRecord::Move& move : record.moves) base::PutFixed(move.to.value, &out);
  uint32_t last_s = std::numeric_limits<uint32_t>::max();
  for (const NextRecord::Move& move : record.moves) {
    base::PutVarint(last_s - move.time_s, &out);
    last_s = move.time_s;
  }
  return out;
}

absl::StatusOr<NextRecord> DecodeNextRecord(std::string_view bytes) {
  base::Reader in(bytes);
  NextRecord record;
  record.moves.resize(in.Count(9));
  for (NextRecord::Move& move : record.moves) move.to = catalog::ItemKey(in.Fixed<uint64_t>());
  uint64_t last_s = std::numeric_limits<uint32_t>::max();
  bool in_range = true;
  for (NextRecord::Move& move : record.moves) {
    const uint64_t before_s = in.Varint();
    in_range = in_range && before_s <= last_s;
    move.time_s = static_cast<uint32_t>(last_s -= before_s);
  }
  if (!in.ok() || !in.empty() || !in_range) return absl::DataLossError("next record: damaged");
  return record;
}

std::vector<std::pair<catalog::ItemKey, NextRecord>> SumMoves(std::span<const ItemEvent> events) {
  struct From {
    catalog::ItemKey from;
    NextRecord::Move move;
  };
  std::vector<From> known;
  NextRecord anywhere;
  for (const ItemEvent& event : events) {
    if (event.moved_s == 0) continue;
    anywhere.moves.push_back({event.item, event.moved_s});
    if (event.after != kAnywhere) known.push_back({event.after, anywhere.moves.back()});
  }
  std::vector<std::pair<catalog::ItemKey, NextRecord>> sums;
  if (anywhere.moves.empty()) return sums;
  auto& all = anywhere.moves;
  if (all.size() > kMovesAnywhereMax) {
    std::nth_element(all.begin(), all.begin() + kMovesAnywhereMax, all.end(), Newer);
    all.resize(kMovesAnywhereMax);
  }
  std::sort(all.begin(), all.end(), Newer);
  Cut(kMovesAnywhereMax, &all);
  sums.emplace_back(kAnywhere, std::move(anywhere));
  std::sort(known.begin(), known.end(),
            [](const From& a, const From& b) { return a.from != b.from ? a.from < b.from : Newer(a.move, b.move); });
  for (const From& one : known) {
    if (sums.back().first != one.from) sums.emplace_back(one.from, NextRecord());
    sums.back().second.moves.push_back(one.move);
  }
  for (auto& [from, record] : sums) Cut(MovesMax(from), &record.moves);
  return sums;
}

}  // namespace bowerbird::state
