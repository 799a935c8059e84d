#include "state/item_lanes.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "base/status_macros.h"
#include "state/item_signal_input.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;

/// Of an entry in a shard's map and list, beside what it holds.
constexpr size_t kOverheadBytes = 96;
/// Entries that one call of TryEvict passes over in one shard.
constexpr size_t kPassedMax = 256;

template <typename LaneLike>
auto PlaceOf(const LaneLike& lane) {
  return std::tuple(lane.slot, lane.partition);
}

size_t HeapBytes(const std::string& text) {
  return text.capacity() > std::string().capacity() ? text.capacity() + 1 : 0;
}

/// Those of signals that are in the set.
absl::StatusOr<std::vector<ItemLane>> ToLanes(const signal::Set& signals, std::vector<StoredItemSignal> stored) {
  std::vector<ItemLane> lanes;
  lanes.reserve(stored.size());
  for (StoredItemSignal& one : stored) {
    const std::optional<uint32_t> slot = signals.SlotOf(one.id);
    if (!slot.has_value()) continue;
    RETURN_IF_ERROR(signals[*slot].Check(one.value));
    lanes.push_back({*slot, one.partition, std::move(one.value)});
  }
  std::ranges::sort(lanes, {}, PlaceOf<ItemLane>);
  return lanes;
}

}  // namespace

ItemLanes::ItemLanes(std::shared_ptr<const signal::Set> signals, const StateStore* store, CacheBudget* budget)
    : signals_(std::move(signals)), store_(store), budget_(budget) {}

ItemLanes::~ItemLanes() {
  for (const Shard& shard : shards_) {
    for (const auto& [item, entry] : shard.items) budget_->bytes -= static_cast<int64_t>(entry->charged_bytes);
  }
}

void ItemLanes::Charge(Entry* entry) {
  size_t bytes = kOverheadBytes + sizeof(Entry) + entry->lanes.capacity() * sizeof(Lane);
  for (const Lane& lane : entry->lanes) {
    bytes += HeapBytes(lane.value);
    if (lane.taken != nullptr) bytes += sizeof(std::string) + HeapBytes(*lane.taken);
  }
  budget_->bytes += static_cast<int64_t>(bytes) - static_cast<int64_t>(entry->charged_bytes);
  entry->charged_bytes = bytes;
}

std::span<const uint32_t> ItemLanes::SlotsOf(const v1::Event& event) const {
  // What an id hands over was counted where it was done.
  if (event.item().empty() || event.has_merge()) return {};
  return signals_->CountingSlots(event.type());
}

absl::StatusOr<std::vector<ItemLane>> ItemLanes::Load(ItemKey item) const {
  ASSIGN_OR_RETURN(std::vector<StoredItemSignal> stored, store_->LoadItemSignals(item));
  return ToLanes(*signals_, std::move(stored));
}

ItemLanes::Entry* ItemLanes::Find(Shard* shard, ItemKey item) {
  const auto found = shard->items.find(item);
  if (found == shard->items.end()) return nullptr;
  found->second->used = true;
  return found->second.get();
}

absl::StatusOr<ItemLanes::Entry*> ItemLanes::FindOrLoad(Shard* shard, ItemKey item) {
  if (Entry* const entry = Find(shard, item); entry != nullptr) return entry;
  ASSIGN_OR_RETURN(std::vector<ItemLane> lanes, Load(item));
  return Insert(shard, item, std::move(lanes));
}

ItemLanes::Entry* ItemLanes::Insert(Shard* shard, ItemKey item, std::vector<ItemLane> lanes) {
  auto owned = std::make_unique<Entry>();
  Entry* entry = owned.get();
  entry->item = item;
  entry->lanes.reserve(lanes.size());
  for (ItemLane& lane : lanes) entry->lanes.push_back({lane.slot, lane.partition, std::move(lane.value), {}});
  entry->age = shard->ages.insert(shard->ages.end(), entry);
  shard->items.emplace(item, std::move(owned));
  Charge(entry);
  return entry;
}

ItemLanes::Lane* ItemLanes::FindLane(Entry* entry, uint32_t slot, uint32_t partition) {
  const auto place = std::ranges::lower_bound(entry->lanes, std::tuple(slot, partition), {}, PlaceOf<Lane>);
  if (place != entry->lanes.end() && PlaceOf(*place) == std::tuple(slot, partition)) return &*place;
  return nullptr;
}

absl::Status ItemLanes::Bring(const v1::Event& event) {
  if (SlotsOf(event).empty()) return absl::OkStatus();
  const ItemKey item(event.item_key());
  Shard& shard = ShardOf(item);
  uint64_t evictions = 0;
  {
    const std::lock_guard lock(shard.mutex);
    if (Find(&shard, item) != nullptr) return absl::OkStatus();
    evictions = shard.evictions;
  }
  ASSIGN_OR_RETURN(std::vector<ItemLane> lanes, Load(item));
  const std::lock_guard lock(shard.mutex);
  if (Find(&shard, item) == nullptr && shard.evictions == evictions) Insert(&shard, item, std::move(lanes));
  return absl::OkStatus();
}

absl::Status ItemLanes::Fold(uint32_t partition, const v1::Event& event, double strength, Changes* changes) {
  const std::span<const uint32_t> slots = SlotsOf(event);
  if (slots.empty()) return absl::OkStatus();
  const ItemKey item(event.item_key());
  const ItemSignalInput input(event, strength);
  Shard& shard = ShardOf(item);
  const std::lock_guard lock(shard.mutex);
  ASSIGN_OR_RETURN(Entry* const entry, FindOrLoad(&shard, item));
  bool changed = false;
  for (const uint32_t slot : slots) {
    Lane* lane = FindLane(entry, slot, partition);
    // A table may still need what it was.
    const bool first = lane == nullptr || !lane->untaken;
    std::string before = first && lane != nullptr ? lane->value : std::string();
    if (lane == nullptr) {
      std::string value;
      if (!(*signals_)[slot].Fold(input.input(), &value)) continue;
      const auto place = std::ranges::lower_bound(entry->lanes, std::tuple(slot, partition), {}, PlaceOf<Lane>);
      lane = &*entry->lanes.insert(place, Lane{slot, partition, std::move(value), {}});
    } else if (!(*signals_)[slot].Fold(input.input(), &lane->value)) {
      continue;
    }
    changed = true;
    if (first) {
      lane->untaken = true;
      lane->taken = std::make_unique<const std::string>(std::move(before));
      changes->untaken.push_back({item, slot});
      ++entry->pins;
    }
    if (!lane->unwritten) {
      lane->unwritten = true;
      changes->unwritten.push_back({item, slot});
      ++entry->pins;
    }
  }
  if (changed) Charge(entry);
  return absl::OkStatus();
}

void ItemLanes::Write(uint32_t partition, Changes* changes, StateStore::Batch* batch) {
  // Those that lie together are written together.
  std::ranges::sort(changes->unwritten);
  for (const Place& place : changes->unwritten) {
    Shard& shard = ShardOf(place.item);
    const std::lock_guard lock(shard.mutex);
    Lane* const lane = FindLane(shard.items.find(place.item)->second.get(), place.slot, partition);
    batch->PutItemSignal(place.item, (*signals_)[place.slot].id(), partition, lane->value);
    lane->unwritten = false;
  }
  changes->being_written = std::exchange(changes->unwritten, {});
}

void ItemLanes::Written(Changes* changes) {
  for (const Place& place : changes->being_written) {
    Shard& shard = ShardOf(place.item);
    const std::lock_guard lock(shard.mutex);
    --shard.items.find(place.item)->second->pins;
  }
  changes->being_written.clear();
}

void ItemLanes::Take(uint32_t partition, Changes* changes, absl::flat_hash_set<ItemKey>* items) {
  for (const Place& place : changes->untaken) {
    Shard& shard = ShardOf(place.item);
    const std::lock_guard lock(shard.mutex);
    Entry* const entry = shard.items.find(place.item)->second.get();
    Lane* const lane = FindLane(entry, place.slot, partition);
    lane->untaken = false;
    lane->taken = nullptr;
    --entry->pins;
    Charge(entry);
    items->insert(place.item);
  }
  changes->untaken.clear();
}

absl::StatusOr<std::vector<ItemLane>> ItemLanes::AsTaken(ItemKey item) {
  Shard& shard = ShardOf(item);
  const std::lock_guard lock(shard.mutex);
  ASSIGN_OR_RETURN(const Entry* const entry, FindOrLoad(&shard, item));
  std::vector<ItemLane> lanes;
  lanes.reserve(entry->lanes.size());
  for (const Lane& lane : entry->lanes) {
    const std::string& value = lane.taken != nullptr ? *lane.taken : lane.value;
    if (!value.empty()) lanes.push_back({lane.slot, lane.partition, value});
  }
  return lanes;
}

size_t ItemLanes::TryEvict(size_t items_max) {
  size_t evicted = 0;
  for (size_t tried = 0; tried < kShards && evicted == 0; ++tried) {
    Shard& shard = shards_[evict_hand_++ % kShards];
    const std::unique_lock lock(shard.mutex, std::try_to_lock);
    if (!lock.owns_lock()) continue;
    size_t passed = 0;
    for (auto at = shard.ages.begin(); at != shard.ages.end() && evicted < items_max && passed < kPassedMax;) {
      Entry* const entry = *at;
      if (entry->pins > 0) {
        ++at;
        ++passed;
      } else if (entry->used) {
        entry->used = false;
        const auto spared = at++;
        shard.ages.splice(shard.ages.end(), shard.ages, spared);
        ++passed;
      } else {
        at = shard.ages.erase(at);
        budget_->bytes -= static_cast<int64_t>(entry->charged_bytes);
        shard.items.erase(entry->item);
        ++shard.evictions;
        ++evicted;
      }
    }
  }
  return evicted;
}

absl::Status ScanItemLanes(const StateStore& store, const signal::Set& signals,
                           const std::function<void(ItemKey, const std::vector<ItemLane>&)>& visit) {
  return store.ScanItemSignals([&](ItemKey item, std::vector<StoredItemSignal> stored) -> absl::Status {
    ASSIGN_OR_RETURN(const std::vector<ItemLane> lanes, ToLanes(signals, std::move(stored)));
    visit(item, lanes);
    return absl::OkStatus();
  });
}

}  // namespace bowerbird::state
