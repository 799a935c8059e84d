#include "app/history.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "base/string_map.h"
#include "replay/source.h"
#include "state/fold.h"
#include "state/user_mark.h"

namespace bowerbird::app {
namespace {

struct RawAction {
  uint64_t user = 0, item = 0;
  int64_t time_us = 0;
  float weight = 0;
  bool by_agent = false;  ///< with a program that says that it is no person's
  log::Offset offset = 0;
};

/// What one partition holds. Its users are its own, so partitions are read beside each other and joined at the end.
struct PartitionActions {
  std::vector<RawAction> actions;
  absl::flat_hash_set<uint64_t> prints;
  /// Users' hidden items, and where they were hidden last.
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, log::Offset> hidden;
  /// Users who were forgotten, and where last: what they did before is nobody's.
  absl::flat_hash_map<uint64_t, log::Offset> forgotten;
  absl::flat_hash_map<uint64_t, state::MarkedTimes> marked;
  /// Ids that have become another user; the last one counts.
  absl::flat_hash_map<uint64_t, uint64_t> becomes;
};

/// Takes out what is marked traffic, of each action's user as that is known by now.
void LeaveOutMarked(PartitionActions* partition) {
  std::erase_if(partition->actions, [&](const RawAction& action) {
    const auto marked = partition->marked.find(action.user);
    if (marked == partition->marked.end()) return action.by_agent;
    return marked->second.Covers(action.time_us) || (action.by_agent && !marked->second.unmarked());
  });
}

/// Gives what an id did before and after it was identified to the user it has become, as state does: among that user's
/// actions by their times.
void MoveToUsers(std::vector<PartitionActions>* partitions, absl::flat_hash_set<uint64_t>* with_others) {
  const auto count = static_cast<uint32_t>(partitions->size());
  const auto partition_of = [&](uint64_t user) -> PartitionActions& {
    return (*partitions)[catalog::PartitionOf(catalog::UserKey(user), count)];
  };
  std::vector<RawAction> moved;
  for (PartitionActions& partition : *partitions) {
    if (partition.becomes.empty()) continue;
    std::erase_if(partition.actions, [&](const RawAction& action) {
      uint64_t user = action.user;
      for (uint32_t hops = 0; hops < state::kMergeHopsMax; ++hops) {
        const PartitionActions& own = partition_of(user);
        const auto becomes = own.becomes.find(user);
        if (becomes == own.becomes.end()) break;
        user = becomes->second;
      }
      if (user == action.user) return false;
      with_others->insert(user);
      moved.push_back(action);
      moved.back().user = user;
      return true;
    });
  }
  for (const RawAction& action : moved) partition_of(action.user).actions.push_back(action);
}

}  // namespace

absl::StatusOr<ActionHistory> ReadActions(const log::EventLog& log, const config::Config& config, int64_t from_us,
                                          uint32_t threads, const MarkedUsers& marked_before) {
  const replay::Source source(&log);
  replay::Range range;
  for (uint32_t p = 0; p < source.partitions(); ++p) {
    ASSIGN_OR_RETURN(const log::Offset begin, from_us > 0 ? log.OffsetAtTime(log::Topic::kEvents, p, from_us)
                                                          : log.BeginOffset(log::Topic::kEvents, p));
    ASSIGN_OR_RETURN(const log::Offset end, log.EndOffset(log::Topic::kEvents, p));
    range.begin.push_back(begin);
    range.end.push_back(end);
  }
  base::StringMap<const config::EventType*> types;
  for (const config::EventType& type : config.event_types) types[type.name] = &type;
  std::vector<PartitionActions> partitions(source.partitions());
  for (const auto& [user, mark] : marked_before) {
    partitions[catalog::PartitionOf(user, source.partitions())].marked[user.value].Add(mark);
  }
  std::atomic<uint64_t> events = 0;
  RETURN_IF_ERROR(source.ForEach(range, threads, [&](uint32_t partition, const replay::EventBatch& batch) {
    PartitionActions& out = partitions[partition];
    events += batch.records().size();
    for (const replay::EventRecord& record : batch.records()) {
      if (record.event == nullptr) continue;
      const v1::Event& event = *record.event;
      if (event.has_redacted()) continue;
      if (event.has_forget()) {
        out.forgotten[event.user_key()] = record.offset;
        out.becomes.erase(event.user_key());
        out.marked.erase(event.user_key());
        continue;
      }
      if (event.has_mark()) {
        out.marked[event.user_key()].Add(state::MarkOf(event.mark()));
        continue;
      }
      if (event.becomes_key() != 0) {
        // One that is sent again must not undo a later one.
        if (event.dedupe_print() != 0 && !out.prints.insert(event.dedupe_print()).second) continue;
        out.becomes[event.user_key()] = event.becomes_key();
      }
      if (event.item().empty()) continue;
      const auto type = types.find(event.type());
      if (type == types.end()) continue;
      if (event.dedupe_print() != 0 && !out.prints.insert(event.dedupe_print()).second) continue;
      if (event.type() == "hide") {
        out.hidden[{event.user_key(), event.item_key()}] = record.offset;
        continue;
      }
      if (event.type() == "unhide") {
        out.hidden.erase({event.user_key(), event.item_key()});
        continue;
      }
      const auto weight = static_cast<float>(state::EventStrength(*type->second, event));
      if (weight > 0)
        out.actions.push_back(
            {event.user_key(), event.item_key(), event.event_time_us(), weight, !event.agent().empty(), record.offset});
    }
    return absl::OkStatus();
  }));

  ActionHistory history;
  history.events = events;
  history.ends = range.end;
  for (PartitionActions& partition : partitions) {
    const auto forgotten = [&](uint64_t user, log::Offset offset) {
      const auto found = partition.forgotten.find(user);
      return found != partition.forgotten.end() && offset < found->second;
    };
    std::erase_if(partition.actions, [&](const RawAction& a) {
      const auto hidden = partition.hidden.find({a.user, a.item});
      return forgotten(a.user, a.offset) || (hidden != partition.hidden.end() && !forgotten(a.user, hidden->second));
    });
  }
  for (PartitionActions& partition : partitions) LeaveOutMarked(&partition);
  absl::flat_hash_set<uint64_t> with_others;
  MoveToUsers(&partitions, &with_others);
  if (!with_others.empty()) {
    for (PartitionActions& partition : partitions) LeaveOutMarked(&partition);
  }
  for (PartitionActions& partition : partitions) {
    std::sort(partition.actions.begin(), partition.actions.end(), [&](const RawAction& a, const RawAction& b) {
      if (a.user != b.user) return a.user < b.user;
      // Offsets of two partitions say nothing about which came first.
      if (with_others.contains(a.user) && a.time_us != b.time_us) return a.time_us < b.time_us;
      return std::pair(a.offset, a.item) < std::pair(b.offset, b.item);
    });
    for (const RawAction& action : partition.actions) history.item_keys.emplace_back(action.item);
  }
  std::sort(history.item_keys.begin(), history.item_keys.end());
  history.item_keys.erase(std::unique(history.item_keys.begin(), history.item_keys.end()), history.item_keys.end());
  for (PartitionActions& partition : partitions) {
    const RawAction* previous = nullptr;
    for (const RawAction& action : partition.actions) {
      if (previous == nullptr || previous->user != action.user) ++history.user_count;
      previous = &action;
      history.users.push_back(history.user_count - 1);
      const auto item =
          std::lower_bound(history.item_keys.begin(), history.item_keys.end(), catalog::ItemKey(action.item));
      history.items.push_back(static_cast<uint32_t>(item - history.item_keys.begin()));
      history.times_us.push_back(action.time_us);
      history.weights.push_back(action.weight);
    }
    partition = {};
  }
  return history;
}

}  // namespace bowerbird::app
