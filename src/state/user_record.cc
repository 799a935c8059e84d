#include "state/user_record.h"

#include <algorithm>
#include <limits>

#include "state/codec.h"
#include "state/user_op.h"

namespace bowerbird::state {
namespace {

constexpr uint8_t kFormat = 1;
/// A record with what few users have: whom it has become, who has become it.
constexpr uint8_t kFormatMerged = 2;
constexpr int64_t kHourUs = 3'600'000'000;

uint32_t ClampToUint32(int64_t value) {
  return static_cast<uint32_t>(std::clamp<int64_t>(value, 0, std::numeric_limits<uint32_t>::max()));
}

/// Differences, so that values near each other take a byte or two.
template <typename T, typename Get>
void PutDifferences(const std::vector<T>& values, size_t from, Get get, std::string* out) {
  int64_t last = 0;
  for (size_t i = from; i < values.size(); ++i) {
    const int64_t value = get(values[i]);
    PutSigned(value - last, out);
    last = value;
  }
}
class Differences {
 public:
  explicit Differences(Reader* in) : in_(in) {}
  uint32_t Next() { return static_cast<uint32_t>(last_ += static_cast<uint64_t>(in_->Signed())); }

 private:
  Reader* in_;
  uint64_t last_ = 0;  // unsigned: damaged bytes may run over
};

// Columns, so that the compressor finds like beside like.
void PutActions(const Action* actions, size_t count, std::string* out) {
  for (size_t i = 0; i < count; ++i) PutFixed(actions[i].item.value, out);
  int64_t last = 0;
  for (size_t i = 0; i < count; ++i) {
    PutSigned(static_cast<int64_t>(actions[i].time_s) - last, out);
    last = actions[i].time_s;
  }
  for (size_t i = 0; i < count; ++i) PutFixed(actions[i].type, out);
  for (size_t i = 0; i < count; ++i) PutFixed(actions[i].surface, out);
  for (size_t i = 0; i < count; ++i) PutFixed(actions[i].strength_bf16, out);
}

std::vector<Action> GetActions(size_t count, Reader* in) {
  std::vector<Action> actions(count);
  for (Action& action : actions) action.item.value = in->Fixed<uint64_t>();
  Differences times(in);
  for (Action& action : actions) action.time_s = times.Next();
  for (Action& action : actions) action.type = in->Fixed<uint8_t>();
  for (Action& action : actions) action.surface = in->Fixed<uint8_t>();
  for (Action& action : actions) action.strength_bf16 = in->Fixed<uint16_t>();
  return actions;
}

void PutItems(const std::vector<catalog::ItemKey>& items, std::string* out) {
  PutVarint(items.size(), out);
  for (const catalog::ItemKey item : items) PutFixed(item.value, out);
}

std::vector<catalog::ItemKey> GetItems(Reader* in) {
  std::vector<catalog::ItemKey> items(in->Count(8));
  for (catalog::ItemKey& item : items) item.value = in->Fixed<uint64_t>();
  return items;
}

bool ByItem(const SeenItem& a, const SeenItem& b) { return a.item < b.item; }

/// Adds to a list sorted by item.
void MergeSeen(SeenItem* into, uint32_t time_s, uint32_t impressions) {
  into->time_s = std::max(into->time_s, time_s);
  const uint64_t count = uint64_t{into->count} + impressions;
  into->count = static_cast<uint32_t>(std::min<uint64_t>(count, std::numeric_limits<uint32_t>::max()));
}

void DropOldestSeen(std::vector<SeenItem>* seen) {
  std::vector<std::pair<uint32_t, uint64_t>> ages;
  ages.reserve(seen->size());
  for (const SeenItem& entry : *seen) ages.emplace_back(entry.time_s, entry.item.value);
  std::nth_element(ages.begin(), ages.begin() + kSeenSweep, ages.end());
  const std::pair<uint32_t, uint64_t> oldest_kept = ages[kSeenSweep];
  std::erase_if(*seen, [&](const SeenItem& entry) { return std::pair(entry.time_s, entry.item.value) < oldest_kept; });
}

}  // namespace

bool PrintWindow::Contains(uint64_t print) const {
  return std::find(prints_.begin() + static_cast<ptrdiff_t>(first_), prints_.end(), print) != prints_.end();
}

void PrintWindow::Add(uint64_t print, int64_t event_time_us, int64_t receive_time_us, uint32_t prints_max,
                      int64_t window_us) {
  const uint32_t now_h = ClampToUint32(receive_time_us / kHourUs);
  prints_.push_back(print);
  event_times_s_.push_back(ClampToUint32(event_time_us / 1'000'000));
  receive_times_h_.push_back(now_h);
  const uint64_t window_h = window_us <= 0 ? std::numeric_limits<uint32_t>::max() : (window_us + kHourUs - 1) / kHourUs;
  while (size() > prints_max || (size() > 1 && receive_times_h_[first_] + window_h < now_h)) {
    dropped_until_s_ = static_cast<uint32_t>(std::max<uint64_t>(
        dropped_until_s_,
        std::min<uint64_t>(uint64_t{event_times_s_[first_]} + 1, std::numeric_limits<uint32_t>::max())));
    ++first_;
  }
  if (first_ > 16 && first_ >= size()) {
    const auto front = static_cast<ptrdiff_t>(first_);
    prints_.erase(prints_.begin(), prints_.begin() + front);
    event_times_s_.erase(event_times_s_.begin(), event_times_s_.begin() + front);
    receive_times_h_.erase(receive_times_h_.begin(), receive_times_h_.begin() + front);
    first_ = 0;
  }
}

bool PrintWindow::MayHaveDropped(int64_t event_time_us) const {
  return ClampToUint32(event_time_us / 1'000'000) < dropped_until_s_;
}

void PrintWindow::Encode(std::string* out) const {
  PutVarint(size(), out);
  for (size_t i = first_; i < prints_.size(); ++i) PutFixed(prints_[i], out);
  const auto same = [](uint32_t value) { return static_cast<int64_t>(value); };
  PutDifferences(event_times_s_, first_, same, out);
  PutDifferences(receive_times_h_, first_, same, out);
  PutVarint(dropped_until_s_, out);
}

bool PrintWindow::Decode(Reader* in) {
  first_ = 0;
  const uint64_t count = in->Count(10);
  prints_.resize(count);
  event_times_s_.resize(count);
  receive_times_h_.resize(count);
  for (uint64_t& print : prints_) print = in->Fixed<uint64_t>();
  Differences event_times(in);
  for (uint32_t& time : event_times_s_) time = event_times.Next();
  Differences receive_times(in);
  for (uint32_t& time : receive_times_h_) time = receive_times.Next();
  dropped_until_s_ = static_cast<uint32_t>(in->Varint());
  return in->ok();
}

bool UserRecord::HasMerged(catalog::UserKey source, uint64_t offset) const {
  return std::any_of(merged.begin(), merged.end(),
                     [&](const MergedSource& m) { return m.source == source && m.offset >= offset; });
}

void UserRecord::MarkSeen(catalog::ItemKey item, uint32_t time_s, uint32_t impressions) {
  const SeenItem entry{item, time_s, impressions};
  const auto place = std::lower_bound(seen.begin(), seen.end(), entry, ByItem);
  if (place != seen.end() && place->item == item) {
    MergeSeen(&*place, time_s, impressions);
    return;
  }
  seen.insert(place, entry);
  if (seen.size() >= kSeenMax + kSeenSweep) DropOldestSeen(&seen);
}

size_t UserRecord::MemoryBytes() const {
  size_t bytes = sizeof(UserRecord) + id.capacity() + actions.capacity() * sizeof(Action) +
                 seen.capacity() * sizeof(SeenItem) + prints.MemoryBytes() +
                 hidden.capacity() * sizeof(catalog::ItemKey) + collections.capacity() * sizeof(CollectionState) +
                 affinities.capacity() * sizeof(Affinity) + becomes.capacity() +
                 merged.capacity() * sizeof(MergedSource);
  for (const CollectionState& collection : collections) {
    bytes += collection.name.capacity() + collection.items.capacity() * sizeof(catalog::ItemKey);
  }
  return bytes;
}

std::string EncodeUserRecord(const UserRecord& record) {
  std::string out;
  out.reserve(96 + record.id.size() + record.actions.size() * 15 + record.seen.size() * 12 + record.prints.size() * 12 +
              record.affinities.size() * 24);
  const bool merged = !record.becomes.empty() || !record.merged.empty() || !record.unhidden.empty();
  PutFixed(merged ? kFormatMerged : kFormat, &out);
  PutString(record.id, &out);
  PutVarint(record.events, &out);
  PutSigned(record.first_time_us, &out);
  PutSigned(record.last_time_us, &out);
  PutVarint(record.actions_total, &out);
  PutVarint(record.actions.size(), &out);
  PutActions(record.actions.data(), record.actions.size(), &out);
  PutVarint(record.seen.size(), &out);
  for (const SeenItem& entry : record.seen) PutFixed(entry.item.value, &out);
  PutDifferences(
      record.seen, 0, [](const SeenItem& entry) { return static_cast<int64_t>(entry.time_s); }, &out);
  for (const SeenItem& entry : record.seen) PutVarint(entry.count, &out);
  record.prints.Encode(&out);
  PutItems(record.hidden, &out);
  PutVarint(record.collections.size(), &out);
  for (const CollectionState& collection : record.collections) {
    PutString(collection.name, &out);
    PutItems(collection.items, &out);
  }
  PutVarint(record.affinities.size(), &out);
  for (const Affinity& affinity : record.affinities) {
    PutString(affinity.category, &out);
    PutFixed(affinity.weight, &out);
    PutSigned(record.last_time_us - affinity.time_us, &out);
  }
  if (!merged) return out;
  PutString(record.becomes, &out);
  PutFixed(record.becomes_key.value, &out);
  PutVarint(record.merged.size(), &out);
  for (const MergedSource& source : record.merged) {
    PutFixed(source.source.value, &out);
    PutVarint(source.offset, &out);
  }
  PutItems(record.unhidden, &out);
  return out;
}

absl::StatusOr<UserRecord> DecodeUserRecord(std::string_view bytes) {
  Reader in(bytes);
  const auto format = in.Fixed<uint8_t>();
  if (format != kFormat && format != kFormatMerged) return absl::DataLossError("user record: unknown format");
  UserRecord record;
  record.id = in.String();
  record.events = in.Varint();
  record.first_time_us = in.Signed();
  record.last_time_us = in.Signed();
  record.actions_total = in.Varint();
  record.actions = GetActions(in.Count(13), &in);
  record.seen.resize(in.Count(10));
  for (SeenItem& entry : record.seen) entry.item.value = in.Fixed<uint64_t>();
  Differences times(&in);
  for (SeenItem& entry : record.seen) entry.time_s = times.Next();
  for (SeenItem& entry : record.seen) entry.count = static_cast<uint32_t>(in.Varint());
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
  if (format == kFormatMerged) {
    record.becomes = in.String();
    record.becomes_key.value = in.Fixed<uint64_t>();
    record.merged.resize(in.Count(9));
    for (MergedSource& source : record.merged) {
      source.source.value = in.Fixed<uint64_t>();
      source.offset = in.Varint();
    }
    record.unhidden = GetItems(&in);
  }
  const auto is_time = [](int64_t time_us) { return time_us >= 0 && time_us <= kTimeUsMax; };
  if (!in.ok() || !in.empty() || !is_time(record.first_time_us) || !is_time(record.last_time_us) ||
      !std::ranges::all_of(record.affinities, is_time, &Affinity::time_us)) {
    return absl::DataLossError("user record: damaged");
  }
  return record;
}

std::string EncodeLifelongBlock(const Action* actions) {
  std::string out;
  PutFixed(kFormat, &out);
  PutActions(actions, kLifelongBlock, &out);
  return out;
}

absl::StatusOr<std::vector<Action>> DecodeLifelongBlock(std::string_view bytes) {
  Reader in(bytes);
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
  state->seen.resize(record.seen.size() + acted.size());
  std::merge(record.seen.begin(), record.seen.end(), acted.begin(), acted.end(), state->seen.begin(), ByItem);
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
