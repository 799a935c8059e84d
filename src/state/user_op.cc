#include "state/user_op.h"

#include <algorithm>
#include <limits>

#include "base/byte_codec.h"
#include "base/decay.h"
#include "base/vector_math.h"
#include "state/growth.h"

namespace bowerbird::state {
namespace {

// The first byte of an operation: two bits of kind, what follows, and the third and fourth bit of kind.
constexpr uint8_t kHasPrint = 1 << 2, kHasCategories = 1 << 3, kHasCollection = 1 << 4, kHasId = 1 << 5;
constexpr uint8_t kMovesBlocks = kHasCategories;  // of a merge or a becoming
constexpr int kKindHighShift = 6;

uint8_t KindBits(UserOp::Kind kind) {
  const auto bits = static_cast<uint8_t>(kind);
  return static_cast<uint8_t>((bits & 3) | ((bits >> 2) << kKindHighShift));
}

UserOp::Kind KindOf(uint8_t flags) {
  return static_cast<UserOp::Kind>((flags & 3) | (((flags >> kKindHighShift) & 3) << 2));
}

uint32_t SecondsOf(int64_t time_us) {
  return static_cast<uint32_t>(std::clamp<int64_t>(time_us / 1'000'000, 0, std::numeric_limits<uint32_t>::max()));
}

void Hide(catalog::ItemKey item, UserRecord* record) {
  if (std::find(record->hidden.begin(), record->hidden.end(), item) != record->hidden.end()) return;
  record->hidden.push_back(item);
  if (record->hidden.size() > kHiddenMax) record->hidden.erase(record->hidden.begin());
}

void AddToCollection(std::string_view name, catalog::ItemKey item, UserRecord* record) {
  auto& collections = record->collections;
  auto place = std::find_if(collections.begin(), collections.end(), [&](const auto& c) { return c.name == name; });
  if (place == collections.end()) {
    if (collections.size() >= kCollectionsMax) collections.erase(collections.begin());
    place = collections.insert(collections.end(), CollectionState{std::string(name), {}});
  }
  if (std::find(place->items.begin(), place->items.end(), item) != place->items.end()) return;
  place->items.push_back(item);
  size_t total = 0;
  for (const CollectionState& collection : collections) total += collection.items.size();
  if (total <= kCollectionItemsMax) return;
  const auto first =
      std::find_if(collections.begin(), collections.end(), [](const auto& c) { return !c.items.empty(); });
  first->items.erase(first->items.begin());
  if (first->items.empty()) collections.erase(first);
}

void AddAffinity(const UserLayout& layout, std::string_view category, float strength, int64_t time_us,
                 UserRecord* record) {
  auto& affinities = record->affinities;
  const auto place =
      std::find_if(affinities.begin(), affinities.end(), [&](const Affinity& a) { return a.category == category; });
  if (place != affinities.end()) {
    // A late event adds what would be left of it by now, so that the order of arrival changes the rounding only.
    const int64_t newest_us = std::max(place->time_us, time_us);
    place->weight = static_cast<float>(place->At(newest_us, layout.affinity_half_life_us) +
                                       strength * base::DecayFactor(newest_us - time_us, layout.affinity_half_life_us));
    place->time_us = newest_us;
    return;
  }
  if (affinities.size() < layout.affinity_top) {
    affinities.push_back({std::string(category), strength, time_us});
    return;
  }
  if (affinities.empty()) return;
  auto weakest = affinities.begin();
  double weakest_weight = std::numeric_limits<double>::infinity();
  for (auto a = affinities.begin(); a != affinities.end(); ++a) {
    const double weight = a->At(time_us, layout.affinity_half_life_us);
    if (weight < weakest_weight) {
      weakest = a;
      weakest_weight = weight;
    }
  }
  *weakest = {std::string(category), strength, time_us};
}

/// Moves what the record has beyond its bound into lifelong blocks.
void Spill(const UserLayout& layout, UserRecord* record, std::vector<SpilledBlock>* spilled) {
  while (record->actions.size() >= size_t{layout.sequence_max} + kLifelongBlock) {
    const auto end = record->actions.begin() + kLifelongBlock;
    for (auto action = record->actions.begin(); action != end; ++action) {
      record->seen.Mark(action->item, action->time_s, 0);
    }
    if (spilled != nullptr) {
      const uint64_t first = record->actions_total - record->actions.size();
      spilled->push_back({static_cast<uint32_t>(first / kLifelongBlock), {record->actions.begin(), end}});
    }
    record->actions.erase(record->actions.begin(), end);
  }
}

void Act(const UserLayout& layout, const UserOp& op, UserRecord* record, std::vector<SpilledBlock>* spilled) {
  PushTightly({op.item, SecondsOf(op.event_time_us), op.type, op.surface, op.strength_bf16}, &record->actions);
  ++record->actions_total;
  Spill(layout, record, spilled);
  if (!op.collection.empty()) AddToCollection(op.collection, op.item, record);
  const float strength = base::FromBf16(op.strength_bf16);
  for (const std::string_view category : op.categories)
    AddAffinity(layout, category, strength, op.event_time_us, record);
}

void SpanTime(int64_t first_us, int64_t last_us, UserRecord* record) {
  record->first_time_us = record->events == 0 ? first_us : std::min(record->first_time_us, first_us);
  record->last_time_us = record->events == 0 ? last_us : std::max(record->last_time_us, last_us);
}

/// What the id holds has been handed over; its prints stay, for retries of what it did.
void Become(const UserOp& op, UserRecord* record) {
  UserRecord left;
  left.id = std::move(record->id);
  left.prints = std::move(record->prints);
  if (!op.moves_blocks) left.actions_total = record->actions_total - record->actions.size();
  left.merged = std::move(record->merged);
  left.mark = record->mark;
  left.becomes = op.payload;
  left.becomes_key = op.other;
  *record = std::move(left);
}

/// Leaves what tells a retry of what the forgotten user did from the act of a new one: its time.
void Forget(const UserOp& op, UserRecord* record) {
  *record = UserRecord();
  record->prints.Forget(op.event_time_us);
}

/// Lifelong blocks of another id come between the user's own ones and the newest actions, in which those of both are in
/// the order of time.
void TakeBlocks(const UserOp& op, UserRecord* record, std::vector<SpilledBlock>* spilled) {
  for (size_t i = 0; spilled != nullptr && i < op.blocks.size(); ++i) {
    absl::StatusOr<std::vector<Action>> actions = DecodeLifelongBlock(op.blocks[i]);
    if (!actions.ok()) actions.emplace(kLifelongBlock);  // FoldPolicy::Check has refused it
    spilled->push_back({LifelongBlocks(*record) + static_cast<uint32_t>(i), *std::move(actions)});
  }
  record->actions_total += uint64_t{op.block_count} * kLifelongBlock;
}

/// Marks by rules that overlap are one; what an operator said stays until an operator says something else.
void Mark(const UserMark& mark, UserMark* of_user) {
  if (!IsByRule(mark.reason)) {
    *of_user = mark;
    return;
  }
  if (of_user->reason == MarkReason::kByHand || of_user->reason == MarkReason::kUnmarked) return;
  const UserMark before = *of_user;
  *of_user = mark;
  if (IsByRule(before.reason) && mark.from_us <= before.until_us && before.from_us <= mark.until_us) {
    of_user->from_us = std::min(mark.from_us, before.from_us);
    of_user->until_us = std::max(mark.until_us, before.until_us);
  }
}

void Merge(const UserLayout& layout, const UserOp& op, UserRecord* record, std::vector<SpilledBlock>* spilled) {
  const bool handed_on = IsHandedOn(op, *record);
  std::erase_if(record->merged, [&](const MergedSource& source) { return source.source == op.other; });
  record->merged.push_back({op.other, op.offset});
  if (record->merged.size() > kMergedMax) record->merged.erase(record->merged.begin());
  if (handed_on) return;
  if (op.identified && record->becomes_key == op.other) {
    // The circle closes: who had become the other is who the other becomes.
    record->becomes.clear();
    record->becomes_key = {};
  }
  const absl::StatusOr<UserRecord> decoded = DecodeUserRecord(op.payload);
  if (!decoded.ok()) return;
  const UserRecord& other = *decoded;
  if (other.mark.reason == MarkReason::kByHand || IsByRule(other.mark.reason)) {
    UserMark mark = other.mark;
    mark.source_offset = record->mark.source_offset;  // of its own partition
    if (record->mark.reason != MarkReason::kUnmarked) Mark(mark, &record->mark);
  }
  if (other.events == 0) return;
  SpanTime(other.first_time_us, other.last_time_us, record);
  record->events += other.events;
  TakeBlocks(op, record, spilled);
  record->actions_total += other.actions.size();
  record->actions.insert(record->actions.end(), other.actions.begin(), other.actions.end());
  std::stable_sort(record->actions.begin(), record->actions.end(),
                   [](const Action& a, const Action& b) { return a.time_s < b.time_s; });
  Spill(layout, record, spilled);
  for (const SeenItem& seen : other.seen.Sorted()) record->seen.Mark(seen.item, seen.time_s, seen.count);
  for (const catalog::ItemKey item : other.hidden) Hide(item, record);
  for (const catalog::ItemKey item : other.unhidden) std::erase(record->hidden, item);
  for (const CollectionState& collection : other.collections) {
    for (const catalog::ItemKey item : collection.items) AddToCollection(collection.name, item, record);
  }
  if (op.left_out) return;
  for (const Affinity& affinity : other.affinities) {
    AddAffinity(layout, affinity.category, affinity.weight, affinity.time_us, record);
  }
}

// In the byte before a merge's payload: hops, whether the other became this user with it, and whether it is left out.
constexpr uint8_t kIdentified = 0x80, kLeftOut = 0x40, kHopsBits = kLeftOut - 1;

}  // namespace

bool IsHandedOn(const UserOp& merge, const UserRecord& record) {
  if (record.becomes.empty() || merge.hops >= kMergeHopsMax) return false;
  return !(merge.identified && record.becomes_key == merge.other);
}

void EncodeUserOp(const UserOp& op, std::string* out) {
  const bool action = op.kind == UserOp::Kind::kAction;
  const uint8_t flags = KindBits(op.kind) | (op.print != 0 ? kHasPrint : 0) |
                        (action && !op.categories.empty() ? kHasCategories : 0) |
                        (op.moves_blocks || op.block_count > 0 ? kMovesBlocks : 0) |
                        (action && !op.collection.empty() ? kHasCollection : 0) | (op.id.empty() ? 0 : kHasId);
  base::PutFixed(flags, out);
  if (flags & kHasId) base::PutString(op.id, out);
  base::PutFixed(op.event_time_us, out);
  if (flags & kHasPrint) {
    base::PutFixed(op.print, out);
    // Whole seconds after the event: hours would do, but a difference of hours is not exact at their edges.
    base::PutSigned(op.receive_time_us / 1'000'000 - op.event_time_us / 1'000'000, out);
  }
  if (HasItem(op.kind)) base::PutFixed(op.item.value, out);
  if (op.kind == UserOp::Kind::kMerge || op.kind == UserOp::Kind::kBecome) {
    base::PutFixed(op.other.value, out);
    if (op.kind == UserOp::Kind::kMerge) {
      base::PutVarint(op.offset, out);
      base::PutFixed(static_cast<uint8_t>(op.hops | (op.identified ? kIdentified : 0) | (op.left_out ? kLeftOut : 0)),
                     out);
      if (op.block_count > 0) base::PutVarint(op.block_count, out);
    }
    base::PutString(op.payload, out);
  }
  if (op.kind == UserOp::Kind::kMark) EncodeUserMark(op.mark, out);
  if (!action) return;
  base::PutFixed(op.type, out);
  base::PutFixed(op.surface, out);
  base::PutFixed(op.strength_bf16, out);
  if (flags & kHasCollection) base::PutString(op.collection, out);
  if (flags & kHasCategories) {
    base::PutVarint(op.categories.size(), out);
    for (const std::string_view category : op.categories) base::PutString(category, out);
  }
}

UserOpReader::UserOpReader(std::string_view bytes) : rest_(bytes) {}

bool UserOpReader::Next(UserOp* op) {
  if (rest_.empty() || !ok_) return false;
  base::Reader in(rest_);
  const uint8_t flags = in.Fixed<uint8_t>();
  op->kind = KindOf(flags);
  op->id = flags & kHasId ? in.String() : std::string_view();
  op->event_time_us = in.Fixed<int64_t>();
  bool in_range = true;
  op->print = 0;
  if (flags & kHasPrint) {
    op->print = in.Fixed<uint64_t>();
    const int64_t receive_s =
        static_cast<int64_t>(static_cast<uint64_t>(op->event_time_us / 1'000'000) + static_cast<uint64_t>(in.Signed()));
    in_range = receive_s >= 0 && receive_s <= kTimeUsMax / 1'000'000;
    op->receive_time_us = in_range ? receive_s * 1'000'000 : 0;
  }
  op->item.value = HasItem(op->kind) ? in.Fixed<uint64_t>() : 0;
  op->payload = {};
  op->moves_blocks = op->kind == UserOp::Kind::kBecome && (flags & kMovesBlocks) != 0;
  op->block_count = 0;
  op->blocks.clear();
  if (op->kind == UserOp::Kind::kMerge || op->kind == UserOp::Kind::kBecome) {
    op->other.value = in.Fixed<uint64_t>();
    if (op->kind == UserOp::Kind::kMerge) {
      op->offset = in.Varint();
      const auto hops = in.Fixed<uint8_t>();
      op->identified = (hops & kIdentified) != 0;
      op->left_out = (hops & kLeftOut) != 0;
      op->hops = static_cast<uint8_t>(hops & kHopsBits);
      if (flags & kMovesBlocks) {
        const uint64_t count = in.Varint();
        in_range &= count > 0 && count <= kMovedBlocksMax;
        op->block_count = in_range ? static_cast<uint32_t>(count) : 0;
      }
    }
    op->payload = in.String();
  }
  op->mark = {};
  if (op->kind == UserOp::Kind::kMark) in_range = DecodeUserMark(&in, &op->mark) && in_range;
  op->collection = {};
  op->categories.clear();
  if (op->kind == UserOp::Kind::kAction) {
    op->type = in.Fixed<uint8_t>();
    op->surface = in.Fixed<uint8_t>();
    op->strength_bf16 = in.Fixed<uint16_t>();
    if (flags & kHasCollection) op->collection = in.String();
    if (flags & kHasCategories) {
      op->categories.resize(in.Count(1));
      for (std::string_view& category : op->categories) category = in.String();
    }
  }
  ok_ = in.ok() && op->kind <= UserOp::Kind::kMark && in_range && op->event_time_us >= 0 &&
        op->event_time_us <= kTimeUsMax;
  rest_ = in.rest();
  return ok_;
}

void ApplyUserOp(const UserLayout& layout, const UserOp& op, UserRecord* record, std::vector<SpilledBlock>* spilled) {
  if (!op.id.empty()) record->id = op.id;
  if (op.print != 0) {
    record->prints.Add(op.print, op.event_time_us, op.receive_time_us, layout.dedupe_prints, layout.dedupe_window_us);
  }
  if (op.kind == UserOp::Kind::kForget) return Forget(op, record);
  if (op.kind == UserOp::Kind::kMark) return Mark(op.mark, &record->mark);
  if (op.kind == UserOp::Kind::kBecome) return Become(op, record);
  if (op.kind == UserOp::Kind::kMerge) return Merge(layout, op, record, spilled);
  // The fold hands it on to whom the id has become.
  if (!record->becomes.empty()) return;
  SpanTime(op.event_time_us, op.event_time_us, record);
  ++record->events;
  switch (op.kind) {
    case UserOp::Kind::kCount:
    case UserOp::Kind::kMerge:
    case UserOp::Kind::kBecome:
    case UserOp::Kind::kForget:
    case UserOp::Kind::kMark:
      break;
    case UserOp::Kind::kImpression:
      record->seen.Mark(op.item, SecondsOf(op.event_time_us), 1);
      break;
    case UserOp::Kind::kAction:
      Act(layout, op, record, spilled);
      break;
    case UserOp::Kind::kHide:
      Hide(op.item, record);
      break;
    case UserOp::Kind::kUnhide:
      std::erase(record->hidden, op.item);
      break;
  }
}

absl::Status ApplyUserOps(const UserLayout& layout, std::string_view ops, UserRecord* record) {
  UserOpReader reader(ops);
  UserOp op;
  while (reader.Next(&op)) ApplyUserOp(layout, op, record, nullptr);
  return reader.ok() ? absl::OkStatus() : absl::DataLossError("user operations: damaged");
}

}  // namespace bowerbird::state
