#include "state/user_signals.h"

#include <algorithm>

#include "base/status_macros.h"
#include "state/user_op.h"

namespace bowerbird::state {
namespace {

/// Of a clock ahead of ours, the time of arrival: what it did has not happened later than it arrived.
int64_t SignalTimeUs(const UserOp& op) {
  return op.receive_time_us > 0 ? std::min(op.event_time_us, op.receive_time_us) : op.event_time_us;
}

}  // namespace

absl::StatusOr<UserSignals> UserSignals::FromStored(const signal::Set& set, const std::vector<StoredSignal>& stored) {
  UserSignals signals(set.size());
  for (const StoredSignal& one : stored) {
    for (size_t slot = 0; slot < set.size(); ++slot) {
      if (set[slot].id() != one.id) continue;
      RETURN_IF_ERROR(set[slot].Check(one.value));
      signals.values_[slot] = one.value;
    }
  }
  return signals;
}

size_t UserSignals::MemoryBytes() const {
  size_t bytes = sizeof(UserSignals) + values_.capacity() * sizeof(std::string) + unwritten_.capacity() / 8;
  for (const std::string& value : values_) {
    if (value.capacity() > std::string().capacity()) bytes += value.capacity() + 1;
  }
  return bytes;
}

void UserSignals::Fold(const signal::Set& set, const v1::Event& event, const Change& change, const UserRecord& before) {
  const UserOp& op = change.user;
  if (op.kind == UserOp::Kind::kBecome || op.kind == UserOp::Kind::kForget) return Clear();
  if (change.left_out || op.kind == UserOp::Kind::kMark) return;
  if (op.kind == UserOp::Kind::kMerge) {
    if (!IsHandedOn(op, before)) Merge(set, event.merge());
    return;
  }
  // The fold hands it on to whom the id has become.
  if (before.becomes.empty()) Count(set, event, change);
}

void UserSignals::Count(const signal::Set& set, const v1::Event& event, const Change& change) {
  const signal::Input input{&event, SignalTimeUs(change.user), change.strength};
  for (const uint32_t slot : set.CountingSlots(event.type())) {
    if (set[slot].Fold(input, &values_[slot])) unwritten_[slot] = true;
  }
}

void UserSignals::Clear() {
  for (size_t slot = 0; slot < values_.size(); ++slot) {
    if (values_[slot].empty()) continue;
    values_[slot] = {};
    unwritten_[slot] = true;
  }
}

void UserSignals::Merge(const signal::Set& set, const v1::Merge& merge) {
  for (const v1::SignalValue& other : merge.signals()) {
    for (size_t slot = 0; slot < values_.size(); ++slot) {
      if (set[slot].id() != other.id() || !set[slot].Check(other.value()).ok()) continue;
      set[slot].Merge(other.value(), &values_[slot]);
      unwritten_[slot] = true;
    }
  }
}

void UserSignals::Write(const signal::Set& set, catalog::UserKey user, StateStore::Batch* batch) {
  for (size_t slot = 0; slot < values_.size(); ++slot) {
    if (unwritten_[slot]) batch->PutSignal(user, set[slot].id(), values_[slot]);
    unwritten_[slot] = false;
  }
}

void HandOverSignals(const signal::Set& set, const v1::Event& event, const Change& change, const UserSignals* before,
                     Handover* handover) {
  if (change.left_out) return;
  if (change.user.kind == UserOp::Kind::kMerge) {
    for (const v1::SignalValue& value : event.merge().signals())
      handover->signals.emplace_back(value.id(), value.value());
    return;
  }
  UserSignals alone(set.size());
  if (change.user.kind != UserOp::Kind::kBecome) {
    alone.Count(set, event, change);
    before = &alone;
  }
  if (before == nullptr) return;
  size_t bytes = 0;
  for (size_t slot = 0; slot < set.size(); ++slot) {
    const std::string& value = before->values()[slot];
    if (value.empty() || bytes + value.size() > kHandedSignalsBytes) continue;
    bytes += value.size();
    handover->signals.emplace_back(set[slot].id(), value);
  }
}

}  // namespace bowerbird::state
