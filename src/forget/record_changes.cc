#include "forget/record_changes.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/status_macros.h"
#include "bowerbird/v1/experiment.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "forget/redacted.h"
#include "state/fold.h"
#include "state/user_mark.h"

namespace bowerbird::forget {
namespace {

using catalog::UserKey;
using log::Offset;
using log::Record;
using log::Topic;

constexpr size_t kReadRecords = 1024;
constexpr size_t kReadBytes = 4u << 20;

/// Where an event stands among those of its user's life: a mark that a rule made stands where it follows from.
Offset PlaceOf(const Record& record, const v1::Event& event) {
  return event.has_mark() && state::IsByRule(state::MarkReasonOf(event.mark().reason()))
             ? std::min<Offset>(event.mark().source_offset(), record.offset)
             : record.offset;
}

log::ManagedLog::Replacement Emptied(Offset offset, std::string value) { return {offset, {}, std::move(value)}; }

/// Whether an event may be of, or name, somebody who was forgotten; spares decoding the others. A record without a key
/// was redacted, or says who was forgotten; those that name two ids are all of this type.
bool MayConcern(const ForgottenUsers& forgotten, const Record& record) {
  return record.key.empty() || forgotten.Find(record.key) != nullptr ||
         record.value.find("identify") != std::string::npos;
}

}  // namespace

absl::Status RecordChanges::ForEach(Topic topic, uint32_t partition,
                                    const std::function<absl::Status(const Record&)>& visit) const {
  ASSIGN_OR_RETURN(Offset at, log->BeginOffset(topic, partition));
  ASSIGN_OR_RETURN(const Offset end, log->EndOffset(topic, partition));
  while (at < end) {
    if (cancelled) RETURN_IF_ERROR(cancelled());
    ASSIGN_OR_RETURN(const log::ReadResult read, log->Read(topic, partition, at, kReadRecords, kReadBytes));
    for (const Record& record : read.records) {
      if (record.offset < end) RETURN_IF_ERROR(visit(record));
    }
    if (read.next_offset <= at) break;
    at = read.next_offset;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<log::ManagedLog::Replacement>> RecordChanges::ChangesIn(Topic topic,
                                                                                   uint32_t partition) const {
  if (topic == Topic::kUsers) return UserChanges(partition);
  std::vector<Replacement> changes;
  RETURN_IF_ERROR(ForEach(topic, partition, [&](const Record& record) {
    auto change = topic == Topic::kServed      ? ServedChange(record)
                  : topic == Topic::kExposures ? ExposureChange(record)
                                               : DeadLetterChange(record);
    if (change.has_value()) changes.push_back(*std::move(change));
    return absl::OkStatus();
  }));
  return changes;
}

absl::Status RecordChanges::ForEachEvent(std::vector<Offset> begins,
                                         const std::function<absl::Status(uint32_t, const Record&)>& visit) const {
  std::vector<Offset> at = std::move(begins), ends(at.size());
  for (uint32_t p = 0; p < at.size(); ++p) {
    ASSIGN_OR_RETURN(ends[p], log->EndOffset(Topic::kEvents, p));
  }
  for (bool any = true; any;) {
    any = false;
    std::vector<Offset> from(at.size(), std::numeric_limits<Offset>::max());
    for (uint32_t p = 0; p < at.size(); ++p) {
      if (at[p] < ends[p]) from[p] = at[p];
    }
    const std::vector<Offset> together = history->ReadTogether(Topic::kEvents, from);
    for (uint32_t p = 0; p < at.size(); ++p) {
      for (const Offset until = std::min(together[p], ends[p]); at[p] < until; any = true) {
        if (cancelled) RETURN_IF_ERROR(cancelled());
        const auto records_max = static_cast<size_t>(std::min<Offset>(kReadRecords, until - at[p]));
        ASSIGN_OR_RETURN(const log::ReadResult read, history->Read(Topic::kEvents, p, at[p], records_max, kReadBytes));
        for (const Record& record : read.records) {
          if (record.offset < until) RETURN_IF_ERROR(visit(p, record));
        }
        if (read.next_offset <= at[p]) break;
        at[p] = read.next_offset;
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<RecordChanges::EventChanges> RecordChanges::ChangesInEvents() const {
  const state::FoldPolicy policy(*config);
  const uint32_t partitions = log->PartitionCount(Topic::kEvents);
  EventChanges changes;
  changes.replacements.resize(partitions);
  std::vector<bool> theirs(partitions);
  for (const ForgottenUser& user : forgotten->all()) theirs[catalog::PartitionOf(user.key, partitions)] = true;
  for (uint32_t p = 0; p < partitions; ++p) {
    const log::EventLog& of = theirs[p] ? *history : *log;
    ASSIGN_OR_RETURN(changes.begins.emplace_back(), of.BeginOffset(Topic::kEvents, p));
  }
  // The fold of those users alone, by the rules of the fold: what it counted is what is to count again.
  absl::flat_hash_map<UserKey, state::UserRecord> records;
  v1::Event event;
  state::Change change;
  RETURN_IF_ERROR(ForEachEvent(changes.begins, [&](uint32_t partition, const Record& record) {
    if (!MayConcern(*forgotten, record) || !event.ParseFromString(record.value) || event.has_redacted()) {
      return absl::OkStatus();
    }
    std::vector<Replacement>& replacements = changes.replacements[partition];
    const ForgottenUser* user = forgotten->Find(UserKey(event.user_key()));
    if (user == nullptr || PlaceOf(record, event) >= user->offset) {
      if (StripNames(*forgotten, record.append_time_us, &event))
        replacements.push_back({record.offset, record.key, event.SerializeAsString()});
      return absl::OkStatus();
    }
    // Folded after the forgetting, it changed nothing.
    if (record.offset > user->offset) {
      replacements.push_back(
          Emptied(record.offset, RedactedEvent(*config, *item_signals, event, false, nullptr).SerializeAsString()));
      return absl::OkStatus();
    }
    state::UserRecord& folded = records[user->key];
    const bool folds = policy.Check(event, partition, partitions).ok() &&
                       (folded.id.empty() || event.user().empty() || folded.id == event.user());
    const bool counted = folds && policy.Judge(event, folded, &change) == state::Verdict::kCounted;
    if (!event.has_forget()) {
      replacements.push_back(Emptied(
          record.offset, RedactedEvent(*config, *item_signals, event, counted,
                                       counted && change.has_item ? &change.item : nullptr, counted && change.left_out)
                             .SerializeAsString()));
    }
    if (counted) state::ApplyUserOp(policy.user_layout(), change.user, &folded, nullptr);
    return absl::OkStatus();
  }));
  return changes;
}

absl::StatusOr<std::vector<log::ManagedLog::Replacement>> RecordChanges::UserChanges(uint32_t partition) const {
  // An empty record of the id is the moment of its forgetting in this topic.
  base::StringMap<Offset> gone;
  RETURN_IF_ERROR(ForEach(Topic::kUsers, partition, [&](const Record& record) {
    if (record.value.empty() && forgotten->Find(record.key) != nullptr) gone[record.key] = record.offset;
    return absl::OkStatus();
  }));
  std::vector<Replacement> changes;
  if (gone.empty()) return changes;
  RETURN_IF_ERROR(ForEach(Topic::kUsers, partition, [&](const Record& record) {
    const auto at = gone.find(record.key);
    if (at != gone.end() && record.offset <= at->second) changes.push_back(Emptied(record.offset, {}));
    return absl::OkStatus();
  }));
  return changes;
}

std::optional<log::ManagedLog::Replacement> RecordChanges::ServedChange(const Record& record) const {
  v1::ServedRecord served;
  if (!served.ParseFromString(record.value) || served.redacted()) return std::nullopt;
  const ForgottenUser* user = forgotten->Find(UserKey(served.user_key()));
  const ForgottenUser* asker = forgotten->Find(served.request().user());
  if (asker == nullptr) asker = forgotten->Find(record.key);
  // The answer was made of the user's state before it was forgotten; of somebody whom the id has become otherwise
  // since, the time tells.
  const bool before = user != nullptr ? user->unknown || served.user_offset() <= user->offset
                                      : asker != nullptr && record.append_time_us <= asker->time_us;
  if (!before) return std::nullopt;
  return Emptied(record.offset, RedactedServed(served).SerializeAsString());
}

std::optional<log::ManagedLog::Replacement> RecordChanges::ExposureChange(const Record& record) const {
  v1::Exposure exposure;
  if (!exposure.ParseFromString(record.value)) return std::nullopt;
  const ForgottenUser* user = forgotten->Find(exposure.user());
  if (user == nullptr && exposure.unit() == "user") user = forgotten->Find(exposure.unit_id());
  // It has no offset of the user's: the time tells what was before.
  if (user == nullptr || (!user->unknown && record.append_time_us > user->time_us)) return std::nullopt;
  return Emptied(record.offset, RedactedExposure(exposure).SerializeAsString());
}

std::optional<log::ManagedLog::Replacement> RecordChanges::DeadLetterChange(const Record& record) const {
  v1::DeadLetter letter;
  if (!letter.ParseFromString(record.value)) return std::nullopt;
  for (const ForgottenUser& user : forgotten->all()) {
    if (record.append_time_us > user.time_us) continue;
    if (letter.key() != user.id && !Names(letter.value(), user.id) && !Names(letter.reason(), user.id)) continue;
    return Replacement{record.offset, record.key, RedactedDeadLetter(letter).SerializeAsString()};
  }
  return std::nullopt;
}

std::optional<log::ManagedLog::Replacement> RecordChanges::EventChange(uint32_t partition, const Record& record) const {
  v1::Event event;
  if (!MayConcern(*forgotten, record) || !event.ParseFromString(record.value) || event.has_redacted())
    return std::nullopt;
  const ForgottenUser* user = forgotten->Find(UserKey(event.user_key()));
  const Offset place = PlaceOf(record, event);
  if (user == nullptr || place > user->offset || (place == user->offset && !event.has_forget())) {
    if (!StripNames(*forgotten, record.append_time_us, &event)) return std::nullopt;
    return Replacement{record.offset, record.key, event.SerializeAsString()};
  }
  if (event.has_forget()) {
    if (event.user().empty()) return std::nullopt;
    return Emptied(record.offset, RedactedForget(event).SerializeAsString());
  }
  // What the log has become, where it has the record still and could be changed.
  const auto read = log->Read(Topic::kEvents, partition, record.offset, 1, 1);
  v1::Event there;
  if (read.ok() && !read->records.empty() && read->records.front().offset == record.offset &&
      there.ParseFromString(read->records.front().value) && there.has_redacted()) {
    return Emptied(record.offset, read->records.front().value);
  }
  return Emptied(
      record.offset,
      RedactedEvent(*config, *item_signals, event, true, nullptr, !event.agent().empty()).SerializeAsString());
}

std::optional<log::ManagedLog::Replacement> RecordChanges::ChangeOf(Topic topic, uint32_t partition,
                                                                    const Record& record) const {
  switch (topic) {
    case Topic::kServed:
      return ServedChange(record);
    case Topic::kDeadLetters:
      return DeadLetterChange(record);
    case Topic::kExposures:
      return ExposureChange(record);
    case Topic::kEvents:
      return EventChange(partition, record);
    case Topic::kUsers: {
      // In the lake there is no later record to look at; whoever told us of the user again did so after this time.
      const ForgottenUser* user = forgotten->Find(record.key);
      if (user == nullptr || record.append_time_us > user->time_us) return std::nullopt;
      return Emptied(record.offset, {});
    }
    default:
      return std::nullopt;
  }
}

}  // namespace bowerbird::forget
