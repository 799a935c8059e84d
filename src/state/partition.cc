#include "state/partition.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::state {
namespace {

using catalog::UserKey;

// Events folded without letting go of the mutex: readers wait some 20 microseconds at most.
constexpr size_t kEventsAtOnce = 16;
// Beside them, a merge record holds the newest actions and the signals.
constexpr size_t kHandedBlocksBytes = log::EventLog::kValueBytesMax / 2;

}  // namespace

Partition::Partition(uint32_t index, uint32_t partitions, log::Offset folded, const FoldPolicy* policy,
                     std::shared_ptr<const signal::Set> signals, ItemLanes* item_lanes, const StateStore* store,
                     CacheBudget* budget, FoldCounters* counters, bool hands_over)
    : index_(index),
      partitions_(partitions),
      policy_(policy),
      signals_(std::move(signals)),
      item_lanes_(item_lanes),
      store_(store),
      counters_(counters),
      hands_over_(hands_over),
      folded_(folded),
      settled_(folded),
      users_(budget),
      written_(folded) {}

absl::Status Partition::Fold(const replay::EventBatch& batch, const std::function<void()>& advanced,
                             std::vector<DeadLetter>* dead_letters) {
  std::span<const Record> records = batch.records();
  RETURN_IF_ERROR(LoadMissing(records));
  while (!records.empty()) {
    const size_t count = std::min(records.size(), kEventsAtOnce);
    absl::Status status;
    {
      const std::lock_guard lock(mutex_);
      PrefetchUsers(records.subspan(0, count));
      for (const Record& record : records.subspan(0, count)) {
        status = FoldOne(record, dead_letters);
        if (!status.ok()) break;
        folded_ = record.offset + 1;
      }
      untaken_item_events_.store(untaken_items_.size() + item_changes_.untaken.size(), std::memory_order_relaxed);
      if (unsent_.empty()) settled_ = folded();
    }
    if (advanced) advanced();
    RETURN_IF_ERROR(status);
    records = records.subspan(count);
  }
  return absl::OkStatus();
}

void Partition::PrefetchUsers(std::span<const Record> records) {
  std::array<std::pair<const CachedUser*, const v1::Event*>, kEventsAtOnce> users;
  size_t count = 0;
  for (const Record& record : records) {
    if (record.event == nullptr) continue;
    const CachedUser* user = users_.Find(UserKey(record.event->user_key()));
    if (user != nullptr) users[count++] = {user, record.event};
  }
  for (size_t i = 0; i < count; ++i) UserCache::Prefetch(*users[i].first, *users[i].second);
}

void Partition::SkipTo(log::Offset offset) {
  const std::lock_guard lock(mutex_);
  if (offset > folded()) folded_ = offset;
  if (unsent_.empty()) settled_ = folded();
}

/// Brings the batch's items and users into memory, the users with one read. Only the fold changes users, so what it
/// reads here stays current.
absl::Status Partition::LoadMissing(std::span<const Record> records) {
  for (const Record& record : records) {
    if (record.event != nullptr) RETURN_IF_ERROR(item_lanes_->Bring(*record.event));
  }
  std::vector<UserKey> missing;
  {
    const std::lock_guard lock(mutex_);
    for (const Record& record : records) {
      if (record.event == nullptr) continue;
      const UserKey key(record.event->user_key());
      if (users_.Find(key) == nullptr) missing.push_back(key);
    }
  }
  if (missing.empty()) return absl::OkStatus();
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  ASSIGN_OR_RETURN(std::vector<Loaded> loaded, Load(missing));
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < missing.size(); ++i) {
    // A reader may have brought it meanwhile.
    if (users_.Find(missing[i]) != nullptr) continue;
    users_.Insert(missing[i], std::move(loaded[i].record).value_or(UserRecord()), std::move(loaded[i].signals));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Partition::Loaded>> Partition::Load(std::span<const UserKey> keys) const {
  std::vector<Loaded> loaded(keys.size());
  if (keys.size() == 1) {
    ASSIGN_OR_RETURN(loaded[0].record, store_->LoadUser(keys[0]));
  } else {
    ASSIGN_OR_RETURN(auto records, store_->LoadUsers(keys));
    for (size_t i = 0; i < keys.size(); ++i) loaded[i].record = std::move(records[i]);
  }
  if (signals_->empty()) return loaded;
  ASSIGN_OR_RETURN(const auto stored, store_->LoadSignals(keys));
  for (size_t i = 0; i < keys.size(); ++i) {
    if (stored[i].empty()) continue;
    ASSIGN_OR_RETURN(UserSignals signals, UserSignals::FromStored(*signals_, stored[i]));
    loaded[i].signals = std::make_unique<UserSignals>(std::move(signals));
  }
  return loaded;
}

absl::StatusOr<CachedUser*> Partition::FindOrLoad(UserKey key) {
  if (CachedUser* user = users_.Find(key); user != nullptr) return user;
  ASSIGN_OR_RETURN(std::vector<Loaded> loaded, Load({&key, 1}));
  return users_.Insert(key, std::move(loaded[0].record).value_or(UserRecord()), std::move(loaded[0].signals));
}

void Partition::FoldSignals(const v1::Event& event, CachedUser* user, Handover* handover) const {
  if (signals_->empty()) return;
  if (handover != nullptr) HandOverSignals(*signals_, event, change_, user->signals.get(), handover);
  if (user->signals == nullptr && !event.has_merge() && signals_->CountingSlots(event.type()).empty()) return;
  if (user->signals == nullptr) user->signals = std::make_unique<UserSignals>(signals_->size());
  user->signals->Fold(*signals_, event, change_, user->record);
}

/// The newest ones that a record of the log has room for.
absl::Status Partition::HandOverBlocks(const CachedUser& user, Handover* handover) const {
  size_t bytes = 0;
  for (uint32_t block = LifelongBlocks(user.record); block-- > 0;) {
    const auto is_block = [block](const SpilledBlock& spilled) { return spilled.ordinal == block; };
    const auto pending = std::ranges::find_if(user.pending_blocks, is_block);
    const auto written = std::ranges::find_if(user.blocks_being_written, is_block);
    std::string encoded;
    if (pending != user.pending_blocks.end()) {
      encoded = EncodeLifelongBlock(pending->actions.data());
    } else if (written != user.blocks_being_written.end()) {
      encoded = EncodeLifelongBlock(written->actions.data());
    } else {
      ASSIGN_OR_RETURN(const std::vector<Action> actions, store_->LoadLifelongBlock(user.key, block));
      encoded = EncodeLifelongBlock(actions.data());
    }
    bytes += encoded.size();
    if (bytes > kHandedBlocksBytes || handover->blocks.size() == kMovedBlocksMax) break;
    handover->blocks.push_back(std::move(encoded));
  }
  std::ranges::reverse(handover->blocks);
  return absl::OkStatus();
}

absl::Status Partition::FoldOne(const Record& record, std::vector<DeadLetter>* dead_letters) {
  const auto refuse = [&](std::string reason) {
    ++counters_->dead_letters;
    dead_letters->push_back({record.offset, std::move(reason), std::string(record.key), std::string(record.value)});
    return absl::OkStatus();
  };
  if (record.event == nullptr) return refuse("value: not a bowerbird.v1.Event");
  const v1::Event& event = *record.event;
  if (event.has_redacted()) {
    // Of nobody: what it counts for its item was judged when it was redacted.
    if (!event.redacted().left_out()) {
      RETURN_IF_ERROR(item_lanes_->Fold(index_, event, policy_->StrengthOf(event), &item_changes_));
    }
    ++counters_->folded;
    ItemEvent counted;
    if (policy_->JudgeRedacted(event, &counted)) CountForItem(counted);
    return absl::OkStatus();
  }
  if (const absl::Status fault = policy_->Check(event, index_, partitions_); !fault.ok()) {
    return refuse(std::string(fault.message()));
  }
  if (event.has_mark() || event.has_forget()) marks_on_their_way_.erase(UserKey(event.user_key()));
  ASSIGN_OR_RETURN(CachedUser * user, FindOrLoad(UserKey(event.user_key())));
  if (!user->record.id.empty() && user->record.id != event.user() && !event.user().empty()) {
    return refuse(fmt::format("user: found \"{}\"; its key belongs to \"{}\"", event.user(), user->record.id));
  }
  switch (policy_->Judge(event, user->record, &change_)) {
    case Verdict::kDuplicate:
      ++counters_->duplicates;
      return absl::OkStatus();
    case Verdict::kTooLate:
      ++counters_->too_late;
      return absl::OkStatus();
    case Verdict::kCounted:
      break;
  }
  std::optional<Handover> handover;
  if (hands_over_) handover = policy_->HandoverOf(event, user->record, change_);
  // First what may fail: an event that is folded again must find everything as it was.
  if (handover.has_value() && change_.user.moves_blocks) RETURN_IF_ERROR(HandOverBlocks(*user, &*handover));
  if (!change_.left_out) RETURN_IF_ERROR(item_lanes_->Fold(index_, event, change_.strength, &item_changes_));
  ++counters_->folded;
  FoldSignals(event, user, handover.has_value() ? &*handover : nullptr);
  if (handover.has_value()) {
    handover->source_offset = record.offset;
    handover->append_time_us = record.append_time_us;
    unsent_.push_back(*std::move(handover));
  }
  CountMarked(event, user->record);
  if (change_.user.kind == UserOp::Kind::kForget || change_.user.moves_blocks) {
    user->pending_blocks.clear();
    user->blocks_to_drop = std::max(user->blocks_to_drop, LifelongBlocks(user->record));
  }
  EncodeUserOp(change_.user, &user->pending_ops);
  ApplyUserOp(policy_->user_layout(), change_.user, &user->record, &user->pending_blocks);
  user->view = nullptr;
  users_.MarkDirty(user);
  users_.Charge(user);
  if (change_.has_item) CountForItem(change_.item);
  if (hands_over_) NoteMark(record, *user);
  return absl::OkStatus();
}

void Partition::CountMarked(const v1::Event& event, const UserRecord& before) {
  if (event.has_mark()) ++counters_->marks[static_cast<size_t>(change_.user.mark.reason)];
  // What an id hands over was counted where it was done.
  if (!change_.left_out || event.has_merge()) return;
  const bool covered = before.mark.Covers(change_.user.event_time_us);
  ++counters_->left_out[static_cast<size_t>(covered ? before.mark.reason : MarkReason::kAgent)];
}

void Partition::NoteMark(const Record& record, const CachedUser& user) {
  std::optional<Handover> mark = policy_->MarkOf(*record.event, user.record, change_);
  if (!mark.has_value() || !marks_on_their_way_.insert(user.key).second) return;
  mark->source_offset = record.offset;
  mark->append_time_us = record.append_time_us;
  unsent_.push_back(*std::move(mark));
}

void Partition::CountForItem(const ItemEvent& event) {
  unwritten_items_.push_back(event);
  untaken_items_.push_back(event);
}

absl::StatusOr<UserIdentity> Partition::Identity(UserKey key) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const CachedUser* user, FindOrLoad(key));
  UserIdentity identity{key, user->record.id, user->record.becomes_key, user->record.becomes, {}};
  for (const MergedSource& merged : user->record.merged) identity.merged.push_back(merged.source);
  return identity;
}

absl::StatusOr<std::shared_ptr<const UserState>> Partition::Get(UserKey key, std::string_view id) {
  // A second try meets a user that was folded and evicted while it was being read; the third reads under the mutex.
  for (int attempt = 0; attempt < 2; ++attempt) {
    uint64_t evictions = 0;
    {
      const std::lock_guard lock(mutex_);
      if (CachedUser* user = users_.Find(key); user != nullptr) return View(user, id);
      evictions = users_.evictions();
    }
    ASSIGN_OR_RETURN(std::vector<Loaded> loaded, Load({&key, 1}));
    const std::lock_guard lock(mutex_);
    CachedUser* user = users_.Find(key);
    if (user == nullptr && evictions != users_.evictions()) continue;
    if (user == nullptr && loaded[0].record.has_value()) {
      user = users_.Insert(key, *std::move(loaded[0].record), std::move(loaded[0].signals));
    }
    if (user != nullptr) return View(user, id);
    auto unknown = std::make_shared<UserState>();
    unknown->key = key;
    unknown->offset = folded();
    unknown->signal_set = signals_;
    return unknown;
  }
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(CachedUser * user, FindOrLoad(key));
  return View(user, id);
}

absl::StatusOr<Partition::Actions> Partition::GetActions(UserKey key, std::string_view id) {
  // Brings the user into memory, so that the store is rarely read with the mutex held.
  ASSIGN_OR_RETURN(const std::shared_ptr<const UserState> state, Get(key, id));
  if (state->id.empty()) return Actions();
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const CachedUser* user, FindOrLoad(key));
  Actions actions{user->record.actions_total, user->record.actions, user->pending_blocks};
  actions.pending.insert(actions.pending.end(), user->blocks_being_written.begin(), user->blocks_being_written.end());
  return actions;
}

absl::StatusOr<std::shared_ptr<const UserState>> Partition::View(CachedUser* user, std::string_view id) {
  const log::Offset offset = folded();
  if (!user->record.id.empty() && user->record.id != id) {
    return absl::FailedPreconditionError(fmt::format("user: the key of \"{}\" belongs to another id", id));
  }
  if (user->view != nullptr && user->view->offset == offset) return user->view;
  auto state = user->view != nullptr ? std::make_shared<UserState>(*user->view)
                                     : MakeUserState(user->key, user->record, policy_->user_layout().sequence_max);
  state->offset = offset;
  state->signal_set = signals_;
  if (state->signals == nullptr && user->signals != nullptr) {
    state->signals = std::make_shared<const std::vector<std::string>>(user->signals->values());
  }
  user->view = std::move(state);
  users_.Charge(user);
  return user->view;
}

std::vector<Handover> Partition::UnsentHandovers() {
  const std::lock_guard lock(mutex_);
  return unsent_;
}

void Partition::HandoversSent(size_t count) {
  const std::lock_guard lock(mutex_);
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<ptrdiff_t>(count));
  settled_ = unsent_.empty() ? folded() : unsent_.front().source_offset;
}

bool Partition::TakeUnwritten(StateStore::Batch* batch, std::vector<ItemEvent>* item_events) {
  const std::lock_guard lock(mutex_);
  if (folded() == written_ || !unsent_.empty()) return false;
  being_written_ = users_.TakeDirty();
  for (CachedUser* user : being_written_) {
    batch->MergeUser(user->key, user->pending_ops);
    for (uint32_t block = 0; block < user->blocks_to_drop; ++block) batch->DropLifelongBlock(user->key, block);
    user->blocks_to_drop = 0;
    for (const SpilledBlock& block : user->pending_blocks) batch->PutLifelongBlock(user->key, block);
    if (user->signals != nullptr) user->signals->Write(*signals_, user->key, batch);
    user->pending_ops.clear();
    user->blocks_being_written = std::exchange(user->pending_blocks, {});
  }
  item_events->insert(item_events->end(), unwritten_items_.begin(), unwritten_items_.end());
  unwritten_items_.clear();
  item_lanes_->Write(index_, &item_changes_, batch);
  written_ = folded();
  batch->PutOffset(index_, written_);
  return true;
}

void Partition::Written() {
  const std::lock_guard lock(mutex_);
  for (CachedUser* user : being_written_) {
    user->being_written = false;
    user->blocks_being_written.clear();
  }
  being_written_.clear();
  item_lanes_->Written(&item_changes_);
}

log::Offset Partition::TakeItemEvents(std::vector<ItemEvent>* item_events,
                                      absl::flat_hash_set<catalog::ItemKey>* signal_items) {
  const std::lock_guard lock(mutex_);
  item_lanes_->Take(index_, &item_changes_, signal_items);
  item_events->insert(item_events->end(), untaken_items_.begin(), untaken_items_.end());
  untaken_items_.clear();
  untaken_item_events_.store(0, std::memory_order_relaxed);
  return folded();
}

size_t Partition::TryEvict(size_t users_max) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  return lock.owns_lock() ? users_.Evict(users_max) : 0;
}

}  // namespace bowerbird::state
