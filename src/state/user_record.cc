#include "state/user_record.h"

#include <algorithm>
#include <limits>

#include "base/byte_codec.h"
#include "state/user_op.h"

namespace bowerbird::state {
namespace {

constexpr uint8_t kFormat = 1;
/// A record with what few users have: whom it has become, who has become it.
constexpr uint8_t kFormatMerged = 2;
/// With that, and with a mark.
constexpr uint8_t kFormatMarked = 3;

// Columns, so that the compressor finds like beside like.
void PutActions(const Action* actions, size_t count, std::string* out) {
  for (size_t i = 0; i < count; ++i) base::PutFixed(actions[i].item.value, out);
  base::DifferenceWriter times(out);
  for (size_t i = 0; i < count; ++i) times.Put(actions[i].time_s);
  for (size_t i = 0; i < count; ++i) base::PutFixed(actions[i].type, out);
  for (size_t i = 0; i < count; ++i) base::PutFixed(actions[i].surface, out);
  for (size_t i = 0; i < count; ++i) base::PutFixed(actions[i].strength_bf16, out);
}

std::vector<Action> GetActions(size_t count, base::Reader* in) {
  std::vector<Action> actions(count);
  for (Action& action : actions) action.item.value = in->Fixed<uint64_t>();
  base::DifferenceReader times(in);
  for (Action& action : actions) action.time_s = times.Next();
  for (Action& action : actions) action.type = in->Fixed<uint8_t>();
  for (Action& action : actions) action.surface = in->Fixed<uint8_t>();
  for (Action& action : actions) action.strength_bf16 = in->Fixed<uint16_t>();
  return actions;
}

void PutItems(const std::vector<catalog::ItemKey>& items, std::string* out) {
  base::PutVarint(items.size(), out);
  for (const catalog::ItemKey item : items) base::PutFixed(item.value, out);
}

std::vector<catalog::ItemKey> GetItems(base::Reader* in) {
  std::vector<catalog::ItemKey> items(in->Count(8));
  for (catalog::ItemKey& item : items) item.value = in->Fixed<uint64_t>();
  return items;
}

bool IsTime(int64_t time_us) { return time_us >= 0 && time_us <= kTimeUsMax; }

bool ByItem(const SeenItem& a, const SeenItem& b) { return a.item < b.item; }

}  // namespace

bool UserRecord::HasMerged(catalog::UserKey source, uint64_t offset) const {
  return std::any_of(merged.begin(), merged.end(),
                     [&](const MergedSource& m) { return m.source == source && m.offset >= offset; });
}

size_t UserRecord::MemoryBytes() const {
  size_t bytes = sizeof(UserRecord) + id.capacity() + actions.capacity() * sizeof(Action) + seen.MemoryBytes() +
                 prints.MemoryBytes() + hidden.capacity() * sizeof(catalog::ItemKey) +
                 collections.capacity() * sizeof(CollectionState) + affinities.capacity() * sizeof(Affinity) +
                 becomes.capacity() + merged.capacity() * sizeof(MergedSource);
  for (const CollectionState& collection : collections) {
    bytes += collection.name.capacity() + collection.items.capacity() * sizeof(catalog::ItemKey);
  }
  return bytes;
}

void EncodeUserMark(const UserMark& mark, std::string* out) {
  base::PutFixed(static_cast<uint8_t>(mark.reason), out);
  base::PutSigned(mark.from_us, out);
  base::PutSigned(mark.until_us, out);
  base::PutVarint(mark.source_offset, out);
}

bool DecodeUserMark(base::Reader* in, UserMark* mark) {
  const auto reason = in->Fixed<uint8_t>();
  mark->from_us = in->Signed();
  mark->until_us = in->Signed();
  mark->source_offset = in->Varint();
  if (!in->ok() || reason >= kMarkReasons || !IsTime(mark->from_us) || !IsTime(mark->until_us)) return false;
  mark->reason = static_cast<MarkReason>(reason);
  return true;
}

std::string EncodeUserRecord(const UserRecord& record) {
  std::string out;
  out.reserve(96 + record.id.size() + record.actions.size() * 15 + record.seen.size() * 12 + record.prints.size() * 12 +
              record.affinities.size() * 24);
  const bool merged = !record.becomes.empty() || !record.merged.empty() || !record.unhidden.empty();
  const bool marked = record.mark.reason != MarkReason::kRules;
  base::PutFixed(marked ? kFormatMarked : merged ? kFormatMerged : kFormat, &out);
  base::PutString(record.id, &out);
  base::PutVarint(record.events, &out);
  base::PutSigned(record.first_time_us, &out);
  base::PutSigned(record.last_time_us, &out);
  base::PutVarint(record.actions_total, &out);
  base::PutVarint(record.actions.size(), &out);
  PutActions(record.actions.data(), record.actions.size(), &out);
  record.seen.Encode(&out);
  record.prints.Encode(&out);
  PutItems(record.hidden, &out);
  base::PutVarint(record.collections.size(), &out);
  for (const CollectionState& collection : record.collections) {
    base::PutString(collection.name, &out);
    PutItems(collection.items, &out);
  }
  base::PutVarint(record.affinities.size(), &out);
  for (const Affinity& affinity : record.affinities) {
    base::PutString(affinity.category, &out);
    base::PutFixed(affinity.weight, &out);
    base::PutSigned(record.last_time_us - affinity.time_us, &out);
  }
  if (!merged && !marked) return out;
  base::PutString(record.becomes, &out);
  base::PutFixed(record.becomes_key.value, &out);
  base::PutVarint(record.merged.size(), &out);
  for (const MergedSource& source : record.merged) {
    base::PutFixed(source.source.value, &out);
    base::PutVarint(source.offset, &out);
  }
  PutItems(record.unhidden, &out);
  if (marked) EncodeUserMark(record.mark, &out);
  return out;
}

absl::StatusOr<UserRecord> DecodeUserRecord(std::string_view bytes) {
  base::Reader in(bytes);
  const auto format = in.Fixed<uint8_t>();
  if (format < kFormat || format > kFormatMarked) return absl::DataLossError("user record: unknown format");
  UserRecord record;
  record.id = in.String();
  record.events = in.Varint();
  record.first_time_us = in.Signed();
  record.last_time_us = in.Signed();
  record.actions_total = in.Varint();
  record.actions = GetActions(in.Count(13), &in);
  record.seen.Decode(&in);
  record.prints.Decode(&in);
  record.hidden = GetItems(&in);
  record.collections.resize(in.Count(2));
  for (CollectionState& collection : record.collections) {
    collection.name = in.String();
    collection.items = GetItems(&in);
  }
  record.affinities.resize(in.Count(6));
  for (Affinity& affinity : record.affinities) {
    affinity.category = in.String();
    affinity.weight = in.Fixed<float>();
    affinity.time_us =
        static_cast<int64_t>(static_cast<uint64_t>(record.last_time_us) - static_cast<uint64_t>(in.Signed()));
  }
  if (format >= kFormatMerged) {
    record.becomes = in.String();
    record.becomes_key.value = in.Fixed<uint64_t>();
    record.merged.resize(in.Count(9));
    for (MergedSource& source : record.merged) {
      source.source.value = in.Fixed<uint64_t>();
      source.offset = in.Varint();
    }
    record.unhidden = GetItems(&in);
  }
  const bool mark_fits = format != kFormatMarked || DecodeUserMark(&in, &record.mark);
  if (!mark_fits || !in.ok() || !in.empty() || !IsTime(record.first_time_us) || !IsTime(record.last_time_us) ||
      !std::ranges::all_of(record.affinities, IsTime, &Affinity::time_us)) {
    return absl::DataLossError("user record: damaged");
  }
  return record;
}

std::string EncodeLifelongBlock(const Action* actions) {
  std::string out;
  base::PutFixed(kFormat, &out);
  PutActions(actions, kLifelongBlock, &out);
  return out;
}

absl::StatusOr<std::vector<Action>> DecodeLifelongBlock(std::string_view bytes) {
  base::Reader in(bytes);
  if (in.Fixed<uint8_t>() != kFormat) return absl::DataLossError("lifelong block: unknown format");
  std::vector<Action> actions = GetActions(kLifelongBlock, &in);
  if (!in.ok() || !in.empty()) return absl::DataLossError("lifelong block: damaged");
  return actions;
}

std::shared_ptr<UserState> MakeUserState(catalog::UserKey key, const UserRecord& record, uint32_t sequence_max) {
  auto state = std::make_shared<UserState>();
  state->key = key;
  state->id = record.id;
  state->becomes = record.becomes;
  for (const MergedSource& source : record.merged) state->merged.push_back(source.source);
  state->mark = record.mark;
  state->events = record.events;
  state->first_time_us = record.first_time_us;
  state->last_time_us = record.last_time_us;
  state->hidden = record.hidden;
  std::sort(state->hidden.begin(), state->hidden.end());
  state->collections = record.collections;
  state->affinities = record.affinities;

  const size_t kept = std::min<size_t>(record.actions.size(), sequence_max);
  state->actions.assign(record.actions.end() - static_cast<ptrdiff_t>(kept), record.actions.end());
  if (!state->hidden.empty()) {
    std::erase_if(state->actions, [&](const Action& action) { return state->IsHidden(action.item); });
  }

  // Seen: what the record keeps, and the item of every action it holds.
  std::vector<SeenItem> acted;
  acted.reserve(record.actions.size());
  for (const Action& action : record.actions) acted.push_back({action.item, action.time_s, 0});
  std::sort(acted.begin(), acted.end(), ByItem);
  const std::vector<SeenItem> marked = record.seen.Sorted();
  state->seen.resize(marked.size() + acted.size());
  std::merge(marked.begin(), marked.end(), acted.begin(), acted.end(), state->seen.begin(), ByItem);
  size_t unique = 0;
  for (const SeenItem& entry : state->seen) {
    if (unique > 0 && state->seen[unique - 1].item == entry.item) {
      MergeSeen(&state->seen[unique - 1], entry.time_s, entry.count);
    } else {
      state->seen[unique++] = entry;
    }
  }
  state->seen.resize(unique);
  return state;
}

}  // namespace bowerbird::state
