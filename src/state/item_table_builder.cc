#include "state/item_table_builder.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/decay.h"
#include "base/status_macros.h"
#include "base/string_map.h"
#include "fmt/format.h"
#include "state/next_record.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;

/// Keeps the best `count`, best first, ties by key.
void KeepBest(size_t count, std::vector<RankedItem>* ranked) {
  const auto better = [](const RankedItem& a, const RankedItem& b) {
    return a.score != b.score ? a.score > b.score : a.item < b.item;
  };
  if (ranked->size() > count) {
    std::nth_element(ranked->begin(), ranked->begin() + static_cast<ptrdiff_t>(count), ranked->end(), better);
    ranked->resize(count);
  }
  std::sort(ranked->begin(), ranked->end(), better);
}

size_t ListMax(const config::Generator& generator) { return size_t{4} * generator.count; }

}  // namespace

/// Keys and counts of one shard, as tables share them.
struct ItemTableBuilder::Published {
  std::vector<ItemKey> keys;
  std::vector<ItemCounts> counts;
};

struct ItemTableBuilder::Table final : ItemTable {
  uint64_t version() const override { return version_value; }
  int64_t time_us() const override { return time_us_value; }
  std::span<const uint64_t> offsets() const override { return offsets_value; }

  const ItemCounts* Find(ItemKey item) const override {
    const Published& shard = *shards[ShardOf(item)];
    const auto place = std::lower_bound(shard.keys.begin(), shard.keys.end(), item);
    if (place == shard.keys.end() || *place != item) return nullptr;
    return &shard.counts[static_cast<size_t>(place - shard.keys.begin())];
  }

  std::span<const RankedItem> Top(std::string_view generator) const override {
    const auto list = lists.find(generator);
    return list == lists.end() ? std::span<const RankedItem>() : list->second;
  }

  const NextItems* Next(ItemKey item) const override { return next->Find(item); }
  const signal::Set* signal_set() const override { return signal_set_value.get(); }
  const ItemSignalValues* Signals(ItemKey item) const override { return signals->Find(item); }

  uint64_t version_value = 0;
  int64_t time_us_value = 0;
  std::vector<log::Offset> offsets_value;
  std::array<std::shared_ptr<const Published>, kShards> shards;
  base::StringMap<std::vector<RankedItem>> lists;
  std::shared_ptr<const NextTable> next;
  std::shared_ptr<const signal::Set> signal_set_value;
  std::shared_ptr<const ItemSignalTable> signals;
};

ItemTableBuilder::ItemTableBuilder(const config::Config& config, const ItemLayout& layout, uint32_t partitions,
                                   const PartitionRange& owned)
    : layout_(layout),
      offsets_(partitions, 0),
      signals_(std::make_shared<const signal::Set>(config, signal::Per::kItem), owned, partitions) {
  for (const config::Generator& generator : config.generators) {
    if (generator.kind == config::GeneratorKind::kTrending) {
      // What the item records keep bounds every window.
      const int64_t kept_us = layout.bucket_us * layout.buckets_max;
      generators_.push_back(generator);
      generators_.back().window_us = generator.window_us > 0 ? std::min(generator.window_us, kept_us) : kept_us;
      window_us_max_ = std::max(window_us_max_, generators_.back().window_us);
    } else if (generator.kind == config::GeneratorKind::kPopular) {
      generators_.push_back(generator);
    }
  }
}

ItemTableBuilder::Item ItemTableBuilder::MakeItem(ItemKey key, const ItemRecord& record) const {
  Item item{key, record.total, record.buckets.empty() ? 0 : record.buckets.back().bucket, {}, 0};
  if (window_us_max_ == 0) return item;
  for (const ItemRecord::Bucket& bucket : record.buckets) {
    if (bucket.sums.weight > 0) item.window.push_back({bucket.bucket, bucket.sums.weight});
  }
  return item;
}

void ItemTableBuilder::Load(ItemKey item, const ItemRecord& record) {
  Shard& shard = shards_[ShardOf(item)];
  BOWERBIRD_CHECK(shard.items.empty() || shard.items.back().key < item);
  shard.items.push_back(MakeItem(item, record));
  shard.published = nullptr;
}

ItemTableBuilder::CountsSince ItemTableBuilder::Since(uint64_t since) const {
  CountsSince counts;
  counts.change = changes_;
  counts.offsets = offsets_;
  for (const Shard& shard : shards_) {
    for (const Item& item : shard.items) {
      if (since != 0 && item.changed <= since) continue;
      Counted& counted = counts.items.emplace_back();
      counted.item = item.key;
      counted.has_record = true;
      counted.record.total = item.sums;
      for (const WindowBucket& bucket : item.window) {
        counted.record.buckets.push_back({bucket.bucket, {}});
        counted.record.buckets.back().sums.weight = bucket.weight;
      }
      if (item.window.empty() || item.window.back().bucket != item.newest_bucket) {
        counted.record.buckets.push_back({item.newest_bucket, {}});
      }
    }
  }
  next_.VisitOwn(since, [&](ItemKey from, const NextRecord& record) {
    Counted& counted = counts.items.emplace_back();
    counted.item = from;
    counted.next = record;
  });
  signals_.VisitOwn(since, [&](ItemKey item, std::vector<ItemSignalBlock> blocks) {
    Counted& counted = counts.items.emplace_back();
    counted.item = item;
    counted.signals = std::move(blocks);
  });
  return counts;
}

void ItemTableBuilder::CountsSince::Encode(ItemCountsDelta* delta) {
  delta->change = change;
  delta->offsets = offsets;
  delta->items.reserve(items.size());
  for (Counted& counted : items) {
    ItemCountsDelta::One& one = delta->items.emplace_back();
    one.item = counted.item;
    if (!counted.signals.empty()) {
      one.signals = std::move(counted.signals);
    } else if (counted.has_record) {
      one.record = EncodeItemRecord(counted.record);
    } else {
      one.next = EncodeNextRecord(counted.next);
    }
  }
}

absl::Status ItemTableBuilder::TakeCounts(uint32_t peer, const ItemCountsDelta& delta) {
  if (delta.offsets.size() != offsets_.size()) {
    return absl::DataLossError(fmt::format("item counts of node {}: found {} partitions; expected {}", peer,
                                           delta.offsets.size(), offsets_.size()));
  }
  std::vector<Item> items;
  std::vector<std::pair<ItemKey, NextRecord>> moves;
  for (const ItemCountsDelta::One& one : delta.items) {
    if (!one.record.empty()) {
      ASSIGN_OR_RETURN(const ItemRecord record, DecodeItemRecord(one.record));
      items.push_back(MakeItem(one.item, record));
    }
    if (!one.next.empty()) {
      ASSIGN_OR_RETURN(NextRecord record, DecodeNextRecord(one.next));
      moves.emplace_back(one.item, std::move(record));
    }
    RETURN_IF_ERROR(signals_.Check(one.signals));
  }
  std::ranges::sort(items, {}, &Item::key);
  if (peer_offsets_.size() <= peer) peer_offsets_.resize(peer + 1);
  peer_offsets_[peer] = delta.offsets;
  for (Shard& shard : shards_) {
    if (shard.peers.size() <= peer) {
      shard.peers.resize(peer + 1);
      shard.published = nullptr;
    }
    if (delta.whole && !shard.peers[peer].empty()) {
      shard.peers[peer].clear();
      shard.published = nullptr;
    }
  }
  for (size_t first = 0; first < items.size();) {
    Shard& shard = shards_[ShardOf(items[first].key)];
    size_t next = first;
    while (next < items.size() && ShardOf(items[next].key) == ShardOf(items[first].key)) ++next;
    std::vector<Item> merged;
    std::vector<Item>& known = shard.peers[peer];
    merged.reserve(known.size() + next - first);
    auto at = known.begin();
    for (size_t i = first; i < next; ++i) {
      for (; at != known.end() && at->key < items[i].key; ++at) merged.push_back(std::move(*at));
      if (at != known.end() && at->key == items[i].key) ++at;
      if (!merged.empty() && merged.back().key == items[i].key) merged.pop_back();
      merged.push_back(std::move(items[i]));
    }
    std::move(at, known.end(), std::back_inserter(merged));
    known = std::move(merged);
    shard.published = nullptr;
    first = next;
  }
  if (delta.whole) signals_.ClearPeer(peer);
  for (const ItemCountsDelta::One& one : delta.items) {
    if (!one.signals.empty()) signals_.SetPeer(peer, one.item, one.signals);
  }
  if (delta.whole) next_.ClearPeer(peer);
  for (auto& [from, record] : moves) next_.SetPeer(peer, from, std::move(record));
  return absl::OkStatus();
}

void ItemTableBuilder::AddTo(const Item& added, Item* sum) const {
  sum->sums.Add(added.sums);
  sum->newest_bucket = std::max(sum->newest_bucket, added.newest_bucket);
  for (const WindowBucket& bucket : added.window) {
    const auto slot = std::lower_bound(sum->window.begin(), sum->window.end(), bucket.bucket,
                                       [](const WindowBucket& b, uint32_t wanted) { return b.bucket < wanted; });
    if (slot != sum->window.end() && slot->bucket == bucket.bucket) {
      slot->weight += bucket.weight;
    } else {
      sum->window.insert(slot, bucket);
    }
  }
}

void ItemTableBuilder::SumPeers(Shard* shard) const {
  if (shard->peers.empty()) return;
  shard->all = shard->items;
  for (const std::vector<Item>& peer : shard->peers) {
    std::vector<Item> merged;
    merged.reserve(shard->all.size() + peer.size());
    auto at = shard->all.begin();
    for (const Item& item : peer) {
      for (; at != shard->all.end() && at->key < item.key; ++at) merged.push_back(std::move(*at));
      if (at != shard->all.end() && at->key == item.key) {
        merged.push_back(std::move(*at++));
        AddTo(item, &merged.back());
      } else {
        merged.push_back(item);
      }
    }
    std::move(at, shard->all.end(), std::back_inserter(merged));
    shard->all = std::move(merged);
  }
}

void ItemTableBuilder::Absorb(uint32_t partition, log::Offset folded, std::vector<ItemEvent>* events) {
  offsets_[partition] = std::max(offsets_[partition], folded);
  if (events->empty()) return;
  ++changes_;
  next_.Absorb(*events, changes_);
  std::vector<std::pair<ItemKey, ItemRecord>> sums = SumByItem(events, layout_);
  for (size_t first = 0; first < sums.size();) {
    const size_t shard_index = ShardOf(sums[first].first);
    Shard& shard = shards_[shard_index];
    shard.published = nullptr;
    // New items go to the end and are sorted in together: `known` is the sorted part.
    const size_t known = shard.items.size();
    size_t next = first;
    for (auto place = size_t{0}; next < sums.size() && ShardOf(sums[next].first) == shard_index; ++next) {
      const auto& [key, added] = sums[next];
      const auto known_end = shard.items.begin() + static_cast<ptrdiff_t>(known);
      const auto found = std::lower_bound(shard.items.begin() + static_cast<ptrdiff_t>(place), known_end, key,
                                          [](const Item& item, ItemKey wanted) { return item.key < wanted; });
      place = static_cast<size_t>(found - shard.items.begin());
      size_t at = place;
      if (found == known_end || found->key != key) {
        at = shard.items.size();
        shard.items.push_back({key, {}, 0, {}, 0});
      }
      Item& item = shard.items[at];
      item.changed = changes_;
      item.sums.Add(added.total);
      if (!added.buckets.empty()) item.newest_bucket = std::max(item.newest_bucket, added.buckets.back().bucket);
      if (window_us_max_ == 0) continue;
      for (const ItemRecord::Bucket& bucket : added.buckets) {
        if (bucket.sums.weight == 0) continue;
        const auto slot = std::lower_bound(item.window.begin(), item.window.end(), bucket.bucket,
                                           [](const WindowBucket& b, uint32_t wanted) { return b.bucket < wanted; });
        if (slot != item.window.end() && slot->bucket == bucket.bucket) {
          slot->weight += bucket.sums.weight;
        } else {
          item.window.insert(slot, {bucket.bucket, bucket.sums.weight});
        }
      }
    }
    std::inplace_merge(shard.items.begin(), shard.items.begin() + static_cast<ptrdiff_t>(known), shard.items.end(),
                       [](const Item& a, const Item& b) { return a.key < b.key; });
    first = next;
  }
}

/// Of each item, the buckets that the item's record has dropped, and those that have left every window.
void ItemTableBuilder::DropOldBuckets(int64_t time_us) {
  if (window_us_max_ == 0) return;
  window_bytes_ = 0;
  const auto drop = [&](std::vector<Item>* items) {
    for (Item& item : *items) {
      const auto first_kept = std::find_if(item.window.begin(), item.window.end(), [&](const WindowBucket& b) {
        return (int64_t{b.bucket} + 1) * layout_.bucket_us > time_us - window_us_max_ &&
               item.newest_bucket - b.bucket < layout_.buckets_max;
      });
      item.window.erase(item.window.begin(), first_kept);
      window_bytes_ += item.window.capacity() * sizeof(WindowBucket);
    }
  };
  for (Shard& shard : shards_) {
    drop(&shard.items);
    for (std::vector<Item>& peer : shard.peers) drop(&peer);
    drop(&shard.all);
  }
}

std::vector<RankedItem> ItemTableBuilder::Trending(const config::Generator& generator, int64_t time_us) const {
  const int64_t from_us = time_us - generator.window_us;
  std::vector<RankedItem> ranked;
  // Decay by a bucket's age, looked up: few buckets, many items. Age is taken from the bucket's middle.
  const auto bucket_from = static_cast<int64_t>(layout_.BucketOf(std::max<int64_t>(from_us, 0)));
  const auto bucket_to = static_cast<int64_t>(layout_.BucketOf(std::max<int64_t>(time_us, 0)));
  std::vector<double> decay;
  for (int64_t bucket = bucket_from; bucket <= bucket_to; ++bucket) {
    const int64_t middle_us = bucket * layout_.bucket_us + layout_.bucket_us / 2;
    decay.push_back((bucket + 1) * layout_.bucket_us > from_us
                        ? base::DecayFactor(time_us - middle_us, generator.half_life_us)
                        : 0.0);
  }
  for (const Shard& shard : shards_) {
    for (const Item& item : shard.Counted()) {
      double score = 0;
      for (const WindowBucket& bucket : item.window) {
        const int64_t index = int64_t{bucket.bucket} - bucket_from;
        if (index < 0) continue;
        // A bucket ahead of the table's time is as fresh as can be.
        const double factor = index < static_cast<int64_t>(decay.size()) ? decay[static_cast<size_t>(index)] : 1.0;
        score += static_cast<double>(bucket.weight) * factor;
      }
      if (score > 0) ranked.push_back({item.key, static_cast<float>(score / kItemWeightOne)});
    }
  }
  KeepBest(ListMax(generator), &ranked);
  return ranked;
}

std::vector<RankedItem> ItemTableBuilder::Popular(const config::Generator& generator) const {
  std::vector<RankedItem> ranked;
  for (const Shard& shard : shards_) {
    for (const Item& item : shard.Counted()) {
      if (item.sums.weight > 0) {
        ranked.push_back({item.key, static_cast<float>(static_cast<double>(item.sums.weight) / kItemWeightOne)});
      }
    }
  }
  KeepBest(ListMax(generator), &ranked);
  return ranked;
}

std::shared_ptr<const ItemTable> ItemTableBuilder::Build(int64_t time_us, uint64_t version) {
  time_us = std::max(time_us, last_time_us_);
  last_time_us_ = time_us;
  for (Shard& shard : shards_) {
    if (shard.published == nullptr) SumPeers(&shard);
  }
  DropOldBuckets(time_us);
  auto table = std::make_shared<Table>();
  table->version_value = version;
  table->time_us_value = time_us;
  table->offsets_value = offsets_;
  for (const std::vector<log::Offset>& peer : peer_offsets_) {
    for (size_t p = 0; p < peer.size(); ++p) table->offsets_value[p] = std::max(table->offsets_value[p], peer[p]);
  }
  for (size_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    if (shard.published == nullptr) {
      auto published = std::make_shared<Published>();
      published->keys.reserve(shard.Counted().size());
      published->counts.reserve(shard.Counted().size());
      for (const Item& item : shard.Counted()) {
        published->keys.push_back(item.key);
        published->counts.push_back({item.sums.impressions, item.sums.actions, item.sums.negatives,
                                     static_cast<double>(item.sums.weight) / kItemWeightOne});
      }
      shard.published = std::move(published);
    }
    table->shards[i] = shard.published;
  }
  for (const config::Generator& generator : generators_) {
    table->lists[generator.name] = generator.kind == config::GeneratorKind::kTrending
                                       ? Trending(generator, table->time_us_value)
                                       : Popular(generator);
  }
  table->next = next_.Build(time_us);
  table->signal_set_value = signals_.signals();
  table->signals = signals_.Build();
  return table;
}

uint64_t ItemTableBuilder::items() const {
  uint64_t items = 0;
  for (const Shard& shard : shards_) items += shard.items.size();
  return items;
}

uint64_t ItemTableBuilder::memory_bytes() const {
  uint64_t bytes = next_.memory_bytes() + signals_.memory_bytes() + window_bytes_;
  for (const Shard& shard : shards_) {
    size_t items = shard.items.capacity() + shard.all.capacity();
    for (const std::vector<Item>& peer : shard.peers) items += peer.capacity();
    bytes += items * sizeof(Item) + shard.Counted().size() * (sizeof(ItemKey) + sizeof(ItemCounts));
  }
  return bytes;
}

}  // namespace bowerbird::state
