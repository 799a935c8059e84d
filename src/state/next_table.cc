#include "state/next_table.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/decay.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kSpanUs = int64_t{kMovesSpanS} * kSecondUs;
constexpr double kPlaceHalfLife = 0.4;  ///< of the greatest number of moves

/// 2^(-p / (kPlaceHalfLife * moves_max)) for p = 0, 1, ...
std::vector<double> PlaceWeights(uint32_t moves_max) {
  std::vector<double> weights(moves_max);
  for (uint32_t p = 0; p < moves_max; ++p) {
    weights[p] = base::DecayFactor(p, static_cast<int64_t>(kPlaceHalfLife * moves_max));
  }
  return weights;
}

}  // namespace

NextItems SumByNext(ItemKey from, const NextRecord& record) {
  static const std::vector<double> kOfItem = PlaceWeights(kMovesMax), kAll = PlaceWeights(kMovesAnywhereMax);
  const std::vector<double>& places = from == kAnywhere ? kAll : kOfItem;
  NextItems next;
  if (record.moves.empty()) return next;
  const uint32_t newest_s = record.moves.front().time_s;
  next.newest_us = int64_t{newest_s} * kSecondUs;
  std::vector<std::pair<ItemKey, double>> parts;
  parts.reserve(record.moves.size());
  double decay = 1;
  uint32_t decay_s = newest_s;
  for (size_t p = 0; p < record.moves.size(); ++p) {
    const NextRecord::Move& move = record.moves[p];
    if (move.time_s != decay_s) {
      decay_s = move.time_s;
      decay = base::DecayFactor(int64_t{newest_s - move.time_s} * kSecondUs, kMoveHalfLifeUs);
    }
    parts.emplace_back(move.to, places[p] * decay);
    next.total += parts.back().second;
  }
  // Stable, so that the parts of an item are added in one order.
  std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  double sum = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    sum += parts[i].second;
    if (i + 1 < parts.size() && parts[i + 1].first == parts[i].first) continue;
    next.items.push_back({parts[i].first, static_cast<float>(sum)});
    sum = 0;
  }
  const auto better = [](const RankedItem& a, const RankedItem& b) {
    return a.score != b.score ? a.score > b.score : a.item < b.item;
  };
  const size_t kept = std::min<size_t>(next.items.size(), from == kAnywhere ? kNextAnywhereMax : kNextItemsMax);
  std::partial_sort(next.items.begin(), next.items.begin() + static_cast<ptrdiff_t>(kept), next.items.end(), better);
  next.items.resize(kept);
  next.items.shrink_to_fit();
  return next;
}

const NextItems* NextTable::Find(ItemKey from) const {
  const Shard& shard = *shards_[NextTableBuilder::ShardOf(from)];
  const auto place = std::lower_bound(shard.froms.begin(), shard.froms.end(), from);
  if (place == shard.froms.end() || *place != from) return nullptr;
  const NextItems& items = *shard.items[static_cast<size_t>(place - shard.froms.begin())];
  return items.newest_us < oldest_us_ ? nullptr : &items;
}

void NextTableBuilder::Load(ItemKey from, NextRecord record) {
  if (record.moves.empty()) return;
  Shard& shard = shards_[ShardOf(from)];
  shard.oldest_s = std::min(shard.oldest_s, record.moves.front().time_s);
  shard.contexts[from].record = std::move(record);
}

uint32_t NextTableBuilder::Context::newest_s() const {
  uint32_t newest_s = record.moves.empty() ? 0 : record.moves.front().time_s;
  for (const NextRecord& peer : peers) {
    if (!peer.moves.empty()) newest_s = std::max(newest_s, peer.moves.front().time_s);
  }
  return newest_s;
}

size_t NextTableBuilder::Context::memory_bytes() const {
  size_t bytes = sizeof(ItemKey) + sizeof(Context) + record.moves.capacity() * sizeof(NextRecord::Move);
  for (const NextRecord& peer : peers) bytes += sizeof(peer) + peer.moves.capacity() * sizeof(NextRecord::Move);
  if (items != nullptr) bytes += sizeof(*items) + items->items.capacity() * sizeof(RankedItem);
  return bytes;
}

NextRecord NextTableBuilder::Context::All(ItemKey from) const {
  NextRecord all = record;
  for (const NextRecord& peer : peers) all.Add(peer, MovesMax(from));
  return all;
}

void NextTableBuilder::VisitOwn(uint64_t since, const std::function<void(ItemKey, const NextRecord&)>& visit) const {
  for (const Shard& shard : shards_) {
    for (const auto& [from, context] : shard.contexts) {
      if (!context.record.moves.empty() && (since == 0 || context.changed > since)) visit(from, context.record);
    }
  }
}

void NextTableBuilder::SetPeer(uint32_t peer, ItemKey from, NextRecord record) {
  if (record.moves.empty()) return;
  Shard& shard = shards_[ShardOf(from)];
  Context& context = shard.contexts[from];
  if (context.peers.size() <= peer) context.peers.resize(peer + 1);
  context.peers[peer] = std::move(record);
  context.items = nullptr;
  shard.published = nullptr;
  shard.oldest_s = std::min(shard.oldest_s, context.newest_s());
}

void NextTableBuilder::ClearPeer(uint32_t peer) {
  for (Shard& shard : shards_) {
    for (auto at = shard.contexts.begin(); at != shard.contexts.end();) {
      Context& context = at->second;
      if (context.peers.size() > peer && !context.peers[peer].moves.empty()) {
        context.peers[peer] = {};
        context.items = nullptr;
        shard.published = nullptr;
      }
      // A list is never without moves.
      at = context.newest_s() == 0 ? shard.contexts.erase(at) : std::next(at);
    }
  }
}

void NextTableBuilder::Absorb(std::span<const ItemEvent> events, uint64_t change) {
  for (auto& [from, record] : SumMoves(events)) {
    Shard& shard = shards_[ShardOf(from)];
    Context& context = shard.contexts[from];
    context.record.Add(record, MovesMax(from));
    context.items = nullptr;
    context.changed = change;
    shard.published = nullptr;
    shard.oldest_s = std::min(shard.oldest_s, context.newest_s());
  }
}

/// Lists twice as old as what is shown: were one dropped earlier, a late event that makes it visible again would find
/// less than a replay does.
void NextTableBuilder::DropOld(int64_t time_us, Shard* shard) {
  const int64_t keep_us = time_us - 2 * kSpanUs;
  if (int64_t{shard->oldest_s} * kSecondUs >= keep_us) return;
  shard->oldest_s = UINT32_MAX;
  for (auto at = shard->contexts.begin(); at != shard->contexts.end();) {
    const uint32_t newest_s = at->second.newest_s();
    if (int64_t{newest_s} * kSecondUs < keep_us) {
      at = shard->contexts.erase(at);
    } else {
      shard->oldest_s = std::min(shard->oldest_s, newest_s);
      ++at;
    }
  }
  shard->published = nullptr;
}

std::shared_ptr<const NextTable> NextTableBuilder::Build(int64_t time_us) {
  auto table = std::make_shared<NextTable>();
  table->oldest_us_ = time_us - kSpanUs;
  memory_bytes_ = 0;
  for (size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_[i];
    DropOld(time_us, &shard);
    if (shard.published == nullptr) {
      auto published = std::make_shared<NextTable::Shard>();
      published->froms.reserve(shard.contexts.size());
      published->items.reserve(shard.contexts.size());
      shard.memory_bytes = 0;
      for (auto& [from, context] : shard.contexts) {
        if (context.items == nullptr) {
          context.items = std::make_shared<const NextItems>(context.peers.empty() ? SumByNext(from, context.record)
                                                                                  : SumByNext(from, context.All(from)));
        }
        published->froms.push_back(from);
        published->items.push_back(context.items);
        shard.memory_bytes += context.memory_bytes() + sizeof(from) + sizeof(context.items);
      }
      shard.published = std::move(published);
    }
    table->shards_[i] = shard.published;
    memory_bytes_ += shard.memory_bytes;
  }
  return table;
}

}  // namespace bowerbird::state
