#include "collect/last_acknowledged.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <vector>

namespace bowerbird::collect {
namespace {

constexpr uint64_t kShards = 64;
constexpr uint64_t kWays = 4;

struct Slot {
  uint64_t user = 0;
  uint64_t offset = 0;
  uint32_t partition = 0;
  uint32_t age = 0;  ///< the shard's tick at the last Set; 0 = free
};
static_assert(sizeof(Slot) == 24);

}  // namespace

struct alignas(64) LastAcknowledged::Shard {
  mutable std::mutex mutex;
  std::vector<Slot> slots;  ///< buckets of kWays
  uint32_t tick = 0;
};

LastAcknowledged::LastAcknowledged(uint64_t users) : shards_(new Shard[kShards]) {
  const uint64_t slots = std::bit_ceil(std::max<uint64_t>(users, kShards * kWays));
  buckets_a_shard_ = static_cast<uint32_t>(slots / kShards / kWays);
  for (uint64_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    shards_[i].slots.resize(slots / kShards);
  }
}

LastAcknowledged::~LastAcknowledged() = default;

uint64_t LastAcknowledged::capacity() const { return uint64_t{buckets_a_shard_} * kShards * kWays; }

// Keys are hashes: their low bits choose the shard, the next ones the bucket.
LastAcknowledged::Shard& LastAcknowledged::ShardOf(catalog::UserKey user) const {
  return shards_[user.value % kShards];
}

void LastAcknowledged::Set(catalog::UserKey user, Position position) {
  Shard& shard = ShardOf(user);
  const std::lock_guard lock(shard.mutex);
  Slot* const bucket = &shard.slots[(user.value / kShards) % buckets_a_shard_ * kWays];
  // 0 means free; after 2^32 changes of one shard ages start over, and the order in a bucket is off once.
  if (++shard.tick == 0) shard.tick = 1;
  Slot* victim = bucket;
  for (Slot* slot = bucket; slot < bucket + kWays; ++slot) {
    if (slot->age != 0 && slot->user == user.value) {
      slot->offset = slot->partition == position.partition ? std::max(slot->offset, position.offset) : position.offset;
      slot->partition = position.partition;
      slot->age = shard.tick;
      return;
    }
    if (slot->age < victim->age) victim = slot;
  }
  *victim = {user.value, position.offset, position.partition, shard.tick};
}

std::optional<LastAcknowledged::Position> LastAcknowledged::Get(catalog::UserKey user) const {
  const Shard& shard = ShardOf(user);
  const std::lock_guard lock(shard.mutex);
  const Slot* const bucket = &shard.slots[(user.value / kShards) % buckets_a_shard_ * kWays];
  for (const Slot* slot = bucket; slot < bucket + kWays; ++slot) {
    if (slot->age != 0 && slot->user == user.value) return Position{slot->partition, slot->offset};
  }
  return std::nullopt;
}

}  // namespace bowerbird::collect
