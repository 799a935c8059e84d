#include "rows/join.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "fmt/format.h"
#include "rows/builder.h"
#include "rows/history.h"

namespace bowerbird::rows {
namespace {

/// Events between two questions whether to go on.
constexpr uint64_t kStepEvents = 1 << 16;

/// How far a topic's partitions reach.
absl::StatusOr<std::vector<log::Offset>> Ends(const log::EventLog& log, log::Topic topic) {
  std::vector<log::Offset> ends;
  for (uint32_t p = 0; p < log.PartitionCount(topic); ++p) {
    ASSIGN_OR_RETURN(const log::Offset end, log.EndOffset(topic, p));
    ends.push_back(end);
  }
  return ends;
}

/// The newest append time of a topic.
absl::StatusOr<LogTimeUs> NewestUs(const log::EventLog& log, log::Topic topic) {
  ASSIGN_OR_RETURN(const std::vector<log::Offset> ends, Ends(log, topic));
  LogTimeUs newest_us = 0;
  for (uint32_t p = 0; p < ends.size(); ++p) {
    ASSIGN_OR_RETURN(const log::Offset begin, log.BeginOffset(topic, p));
    if (ends[p] <= begin) continue;
    ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(topic, p, ends[p] - 1, 1, 1));
    if (!read.records.empty()) newest_us = std::max(newest_us, read.records.front().append_time_us);
  }
  return newest_us;
}

}  // namespace

Join::Join(const config::Config* config, const Objectives* objectives, const log::EventLog* log, Span span)
    : objectives_(*objectives), log_(*log), span_(std::move(span)), policy_(*config) {}

absl::Status Join::Begin() {
  // Before the ends: whatever was appended by then lies below them.
  for (const log::Topic topic : {log::Topic::kEvents, log::Topic::kServed}) {
    ASSIGN_OR_RETURN(const LogTimeUs newest_us, NewestUs(log_, topic));
    as_of_us_ = std::max(as_of_us_, newest_us);
  }
  ASSIGN_OR_RETURN(event_ends_, Ends(log_, log::Topic::kEvents));
  ASSIGN_OR_RETURN(served_ends_, Ends(log_, log::Topic::kServed));
  for (uint32_t p = 0; p < event_ends_.size(); ++p) {
    ASSIGN_OR_RETURN(event_begins_.emplace_back(), FirstOf(log::Topic::kEvents, p));
  }
  ASSIGN_OR_RETURN(const absl::flat_hash_set<uint64_t> ids, ServedIds());
  ASSIGN_OR_RETURN(identities_, Identities::Read({&log_, &policy_, &objectives_, event_begins_, event_ends_, &ids,
                                                  span_.from_us - objectives_.window_us_max(),
                                                  std::min(as_of_us_, span_.to_us + objectives_.window_us_max())}));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Request>*> Join::ReadPartition(uint32_t partition) {
  if (span_.on_step) RETURN_IF_ERROR(span_.on_step());
  RETURN_IF_ERROR(ReadRequests(partition));
  if (requests_.empty()) return &requests_;
  RETURN_IF_ERROR(FoldEvents(partition));
  AttributeLaterEvents();
  return &requests_;
}

/// The first record that there is. FailedPrecondition: some of the days asked for are gone, perhaps.
absl::StatusOr<log::Offset> Join::FirstOf(log::Topic topic, uint32_t partition) const {
  ASSIGN_OR_RETURN(const log::Offset begin, log_.BeginOffset(topic, partition));
  ASSIGN_OR_RETURN(const log::Offset end, log_.EndOffset(topic, partition));
  if (begin == 0 || begin == end) return begin;
  ASSIGN_OR_RETURN(const log::Offset asked, log_.OffsetAtTime(topic, partition, span_.from_us));
  if (asked > begin) return begin;
  return absl::FailedPreconditionError(
      fmt::format("{} of partition {} below offset {} have left the log, and the lake does not have them; expected "
                  "all since {}",
                  log::TopicName(topic), partition, begin, DayOf(span_.from_us)));
}

absl::Status Join::ForEachServed(uint32_t partition, int64_t from_us, int64_t to_us,
                                 const std::function<absl::Status(const log::Record&)>& visit) {
  ASSIGN_OR_RETURN(log::Offset first, FirstOf(log::Topic::kServed, partition));
  ASSIGN_OR_RETURN(const log::Offset at, log_.OffsetAtTime(log::Topic::kServed, partition, from_us));
  first = std::max(first, at);
  return ForEachRecord(log_, log::Topic::kServed, partition, first, served_ends_[partition],
                       [&](const log::Record& record) {
                         if (record.append_time_us < from_us) return absl::OkStatus();
                         return record.append_time_us < to_us ? visit(record) : absl::CancelledError();
                       });
}

/// Whoever was served in the days.
absl::StatusOr<absl::flat_hash_set<uint64_t>> Join::ServedIds() {
  absl::flat_hash_set<uint64_t> ids;
  for (uint32_t p = 0; p < served_ends_.size(); ++p) {
    RETURN_IF_ERROR(ForEachServed(p, span_.from_us, span_.to_us, [&](const log::Record& record) {
      ids.insert(ServedUserKeyOf(record.value));
      return absl::OkStatus();
    }));
  }
  return ids;
}

absl::Status Join::ReadRequests(uint32_t partition) {
  requests_.clear();
  by_id_.clear();
  users_.clear();
  by_offset_.clear();
  undecodable_us_.clear();
  // Whose an event without a request id is does not depend on the days asked for: what was served around them may
  // have shown the item, too.
  const int64_t around_us = objectives_.window_us_max();
  const auto read = [&](const log::Record& stored) {
    const bool in_days = stored.append_time_us >= span_.from_us && stored.append_time_us < span_.to_us;
    if (!record_.ParseFromString(stored.value)) {
      if (!in_days) return absl::OkStatus();
      undecodable_us_.push_back(stored.append_time_us);
      return absl::OkStatus();
    }
    if (record_.redacted()) return absl::OkStatus();
    Request& request = requests_.emplace_back();
    request.partition = partition;
    request.offset = stored.offset;
    request.append_time_us = stored.append_time_us;
    if (in_days) request.record = stored.value;
    request.id = record_.request_id();
    request.user = record_.user_key();
    request.time_us = record_.time_us();
    request.user_offset = record_.user_offset();
    for (const v1::ServedCandidate& candidate : record_.candidates()) {
      if (candidate.position() > 0) request.shown.push_back({candidate.item_key(), candidate.position()});
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(ForEachServed(partition, span_.from_us - around_us, span_.to_us + around_us, read));
  by_offset_.resize(requests_.size());
  std::iota(by_offset_.begin(), by_offset_.end(), 0u);
  std::ranges::stable_sort(by_offset_, {}, [&](uint32_t i) { return requests_[i].user_offset; });
  for (const uint32_t i : by_offset_) users_[requests_[i].user].requests.push_back(i);
  for (uint32_t i = 0; i < requests_.size(); ++i) by_id_.emplace(requests_[i].id, i);
  return absl::OkStatus();
}

absl::Status Join::FoldEvents(uint32_t partition) {
  LogTimeUs log_us = 0;
  size_t next = 0;
  LogTimeUs last_close_us = 0;
  for (const Request& request : requests_) {
    if (!request.record.empty()) last_close_us = std::max(last_close_us, request.time_us + objectives_.window_us_max());
  }
  v1::Event event;
  RETURN_IF_ERROR(ForEachRecord(
      log_, log::Topic::kEvents, partition, event_begins_[partition], event_ends_[partition],
      [&](const log::Record& record) {
        if (++events_ % kStepEvents == 0 && span_.on_step) RETURN_IF_ERROR(span_.on_step());
        for (; next < by_offset_.size() && requests_[by_offset_[next]].user_offset <= record.offset; ++next)
          requests_[by_offset_[next]].folded_us = log_us;
        log_us = std::max(log_us, record.append_time_us);
        const auto found = users_.find(UserKeyOf(record.value));
        if (found == users_.end() || !event.ParseFromString(record.value)) return absl::OkStatus();
        User& user = found->second;
        if (event.has_forget()) {
          LeaveOut(record.offset, user);
          user.marks.clear();
        }
        if (event.has_mark()) user.marks.emplace_back(log_us, state::MarkOf(event.mark()));
        // Beyond, only who was forgotten since matters.
        if (next == by_offset_.size() && log_us > last_close_us) return absl::OkStatus();
        TakeSequences(record.offset, &user);
        const auto counted = user.history.Fold(policy_, objectives_, partition,
                                               static_cast<uint32_t>(event_ends_.size()), log_us, event);
        if (counted.has_value() && counted->item != 0 && !Attribute(*counted, user)) ++unattributed_;
        return absl::OkStatus();
      }));
  for (; next < by_offset_.size(); ++next) requests_[by_offset_[next]].folded_us = log_us;
  for (auto& [key, user] : users_) {
    TakeSequences(std::numeric_limits<log::Offset>::max(), &user);
    if (!user.marks.empty()) Mark(user);
  }
  return absl::OkStatus();
}

/// What is said of a user after a request's windows have closed changes nothing of it.
void Join::Mark(const User& user) {
  for (const uint32_t i : user.requests) {
    Request& request = requests_[i];
    const int64_t close_us = request.time_us + objectives_.window_us_max();
    state::MarkedTimes times;
    for (const auto& [log_us, mark] : user.marks) {
      if (log_us <= close_us) times.Add(mark);
    }
    request.marked = times.Meets(request.time_us, close_us + 1);
  }
}

/// A user who was forgotten is in no row of a request from before.
void Join::LeaveOut(log::Offset forgotten, const User& user) {
  for (const uint32_t i : user.requests) {
    if (requests_[i].user_offset <= forgotten) requests_[i].record.clear();
  }
}

/// What the user had done for the requests that saw nothing from `offset` on.
void Join::TakeSequences(log::Offset offset, User* user) {
  for (; user->next < user->requests.size(); ++user->next) {
    Request& request = requests_[user->requests[user->next]];
    if (request.user_offset > offset) break;
    if (request.record.empty()) continue;
    request.sequence = user->history.Actions(policy_);
  }
}

bool Join::Attribute(const CountedEvent& event, const User& user) {
  std::optional<uint32_t> request;
  if (!event.request_id.empty()) {
    const auto found = by_id_.find(event.request_id);
    if (found != by_id_.end() && requests_[found->second].user == event.user) request = found->second;
  } else {
    request = LastRequestOf(event, user.requests, &requests_, objectives_.window_us_max());
  }
  return request.has_value() && Note(event, objectives_, &requests_[*request]);
}

/// What somebody did as the user that the requests' id has become since.
void Join::AttributeLaterEvents() {
  for (const auto& [id, user] : users_) {
    for (const Identities::Becoming& becoming : identities_.Of(id)) {
      for (const LaterEvent& later : identities_.EventsOf(becoming.user)) {
        if (later.event.log_us < becoming.at_us) continue;
        std::optional<uint32_t> request;
        if (!later.event.request_id.empty()) {
          const auto found = by_id_.find(later.event.request_id);
          if (found != by_id_.end() && requests_[found->second].user == id) request = found->second;
        } else if (!later.own_impression && !later.event.impression) {
          request = LastRequestOf(later.event, user.requests, &requests_, objectives_.window_us_max());
        }
        if (request.has_value()) Note(later.event, objectives_, &requests_[*request]);
      }
    }
  }
}

}  // namespace bowerbird::rows
