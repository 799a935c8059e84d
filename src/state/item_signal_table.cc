#include "state/item_signal_table.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "state/partition_blocks.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;

/// An item in a map, and its place in a shard that is published.
constexpr size_t kItemBytes = 48;

}  // namespace

const ItemSignalValues* ItemSignalTable::Find(ItemKey item) const {
  const Shard& shard = *shards_[ItemSignalTableBuilder::ShardOf(item)];
  const auto place = std::ranges::lower_bound(shard.items, item);
  if (place == shard.items.end() || *place != item) return nullptr;
  return shard.values[static_cast<size_t>(place - shard.items.begin())].get();
}

ItemSignalTableBuilder::ItemSignalTableBuilder(std::shared_ptr<const signal::Set> signals, const PartitionRange& owned,
                                               uint32_t partitions)
    : signals_(std::move(signals)), owned_(owned), partitions_(partitions), blocks_(BlocksOf(owned, partitions)) {}

/// Ascending by slot, then by partition, as the lanes are.
std::vector<ItemSignalTableBuilder::Block> ItemSignalTableBuilder::OwnBlocks(const std::vector<ItemLane>& lanes) const {
  std::vector<Block> own;
  std::vector<BlockValue> values;
  for (size_t first = 0; first < lanes.size();) {
    const uint32_t slot = lanes[first].slot;
    for (const PartitionRange& block : blocks_) {
      values.clear();
      for (; first < lanes.size() && lanes[first].slot == slot && lanes[first].partition < block.end; ++first) {
        if (!block.Has(lanes[first].partition)) continue;
        values.push_back({{lanes[first].partition, lanes[first].partition + 1}, lanes[first].value});
      }
      if (!values.empty()) own.push_back({slot, block, MergeBlocks((*signals_)[slot], values, block)});
    }
    while (first < lanes.size() && lanes[first].slot == slot) ++first;  // lanes of partitions that are not owned
  }
  return own;
}

void ItemSignalTableBuilder::Count(Item* item) {
  size_t bytes = kItemBytes + sizeof(Item) + item->own.capacity() * sizeof(Block) +
                 item->peers.capacity() * sizeof(std::vector<Block>);
  for (const Block& block : item->own) bytes += block.value.capacity();
  for (const std::vector<Block>& peer : item->peers) {
    bytes += peer.capacity() * sizeof(Block);
    for (const Block& block : peer) bytes += block.value.capacity();
  }
  if (item->values != nullptr) bytes += sizeof(ItemSignalValues) + item->values->bytes();
  memory_bytes_ += bytes - item->bytes;
  item->bytes = bytes;
}

void ItemSignalTableBuilder::Set(ItemKey key, const std::vector<ItemLane>& lanes, uint64_t change) {
  std::vector<Block> own = OwnBlocks(lanes);
  if (own.empty()) return;  // counted by a signal that is gone
  Shard& shard = shards_[ShardOf(key)];
  Item& item = shard.items[key];
  item.own = std::move(own);
  item.values = nullptr;
  item.changed = change;
  // One node's values are all there is, and kept once.
  if (!owned_.IsPart(partitions_)) {
    item.values = Merge(item);
    item.own = {};
  }
  shard.published = nullptr;
  Count(&item);
}

void ItemSignalTableBuilder::VisitOwn(uint64_t since,
                                      const std::function<void(ItemKey, std::vector<ItemSignalBlock>)>& visit) const {
  for (const Shard& shard : shards_) {
    for (const auto& [key, item] : shard.items) {
      if (item.changed <= since) continue;  // 0: what others alone have counted
      std::vector<ItemSignalBlock> blocks;
      for (const Block& block : item.own) {
        blocks.push_back({(*signals_)[block.slot].id(), block.partitions, block.value});
      }
      if (!owned_.IsPart(partitions_)) {
        for (uint32_t slot = 0; slot < signals_->size(); ++slot) {
          const std::string_view value = item.values->At(slot);
          if (!value.empty()) blocks.push_back({(*signals_)[slot].id(), {0, partitions_}, std::string(value)});
        }
      }
      visit(key, std::move(blocks));
    }
  }
}

absl::Status ItemSignalTableBuilder::Check(const std::vector<ItemSignalBlock>& told) const {
  for (const ItemSignalBlock& block : told) {
    const PartitionRange& range = block.partitions;
    if (!IsBlock(range, partitions_) || (range.first < owned_.end && range.end > owned_.first)) {
      return absl::DataLossError(fmt::format("item signals: found partitions {} to {}; expected ones of another node",
                                             range.first, range.end));
    }
    const std::optional<uint32_t> slot = signals_->SlotOf(block.id);
    if (!slot.has_value()) continue;
    if (const absl::Status status = (*signals_)[*slot].Check(block.value); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void ItemSignalTableBuilder::SetPeer(uint32_t peer, ItemKey key, const std::vector<ItemSignalBlock>& told) {
  std::vector<Block> blocks;
  for (const ItemSignalBlock& block : told) {
    const std::optional<uint32_t> slot = signals_->SlotOf(block.id);
    if (slot.has_value() && !block.value.empty()) blocks.push_back({*slot, block.partitions, block.value});
  }
  Shard& shard = shards_[ShardOf(key)];
  if (blocks.empty() && !shard.items.contains(key)) return;
  Item& item = shard.items[key];
  if (item.peers.size() <= peer) item.peers.resize(peer + 1);
  item.peers[peer] = std::move(blocks);
  item.values = nullptr;
  shard.published = nullptr;
  Count(&item);
}

void ItemSignalTableBuilder::ClearPeer(uint32_t peer) {
  for (Shard& shard : shards_) {
    for (auto at = shard.items.begin(); at != shard.items.end();) {
      Item& item = at->second;
      if (item.peers.size() <= peer || item.peers[peer].empty()) {
        ++at;
        continue;
      }
      item.peers[peer] = {};
      item.values = nullptr;
      shard.published = nullptr;
      Count(&item);
      const bool known = !item.own.empty() || std::ranges::any_of(item.peers, [](const auto& p) { return !p.empty(); });
      if (!known) memory_bytes_ -= item.bytes;
      at = known ? std::next(at) : shard.items.erase(at);
    }
  }
}

std::shared_ptr<const ItemSignalValues> ItemSignalTableBuilder::Merge(const Item& item) const {
  auto values = std::make_shared<ItemSignalValues>();
  std::vector<BlockValue> of_slot;
  for (uint32_t slot = 0; slot < signals_->size(); ++slot) {
    of_slot.clear();
    const auto add = [&](const std::vector<Block>& blocks) {
      for (const Block& block : blocks) {
        if (block.slot == slot) of_slot.push_back({block.partitions, block.value});
      }
    };
    add(item.own);
    for (const std::vector<Block>& peer : item.peers) add(peer);
    std::ranges::sort(of_slot, {}, [](const BlockValue& value) { return value.block.first; });
    values->Add(MergeBlocks((*signals_)[slot], of_slot, {0, partitions_}));
  }
  return values;
}

std::shared_ptr<const ItemSignalTable> ItemSignalTableBuilder::Build() {
  auto table = std::make_shared<ItemSignalTable>();
  for (size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_[i];
    if (shard.published == nullptr) {
      auto published = std::make_shared<ItemSignalTable::Shard>();
      published->items.reserve(shard.items.size());
      published->values.reserve(shard.items.size());
      for (auto& [key, item] : shard.items) {
        if (item.values == nullptr) {
          item.values = Merge(item);
          Count(&item);
        }
        published->items.push_back(key);
        published->values.push_back(item.values);
      }
      shard.published = std::move(published);
    }
    table->shards_[i] = shard.published;
  }
  return table;
}

}  // namespace bowerbird::state
