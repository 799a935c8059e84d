#include "rows/builder.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/status_macros.h"
#include "base/string_map.h"
#include "base/time_text.h"
#include "catalog/keys.h"
#include "fmt/format.h"
#include "rows/history.h"
#include "rows/identities.h"
#include "rows/leaks.h"
#include "rows/request.h"
#include "rows/row_writer.h"
#include "rows/user_history.h"
#include "state/user_mark.h"

namespace bowerbird::rows {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;
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

/// One build.
class Work {
 public:
  Work(const config::Config& config, const signal::Set& signals, const Objectives& objectives, const log::EventLog& log,
       lake::Lake* lake, const VersionTimes& versions, PastFeatures* past_features, const BuildOptions& options)
      : config_(config),
        signals_(signals),
        objectives_(objectives),
        log_(log),
        lake_(lake),
        options_(options),
        policy_(config),
        past_features_(past_features),
        leaks_(config, versions) {}

  absl::StatusOr<BuildResult> Run() {
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
    RETURN_IF_ERROR(leaks_.ReadItemTables(log_));
    ASSIGN_OR_RETURN(const std::vector<std::string> features, FeatureNames());
    columns_ =
        std::make_unique<RowColumns>(&config_, &signals_, &objectives_, features, options_.negatives, past_features_);
    ASSIGN_OR_RETURN(const absl::flat_hash_set<uint64_t> ids, ServedIds());
    ASSIGN_OR_RETURN(identities_,
                     Identities::Read({&log_, &policy_, &objectives_, event_begins_, event_ends_, &ids,
                                       options_.from_us - objectives_.window_us_max(),
                                       std::min(as_of_us_, options_.to_us + objectives_.window_us_max())}));
    ASSIGN_OR_RETURN(lake::TableStore * store, lake_->JobTable(std::string(kTable)));
    const absl::MutexLock lock(&store->writing());
    RowWriter writer(store, &columns_->fields());
    for (uint32_t p = 0; p < served_ends_.size(); ++p) {
      if (options_.on_step) RETURN_IF_ERROR(options_.on_step());
      RETURN_IF_ERROR(ReadRequests(p));
      if (requests_.empty()) continue;
      RETURN_IF_ERROR(FoldEvents(p));
      AttributeLaterEvents();
      RETURN_IF_ERROR(WriteRows(&writer));
    }
    ASSIGN_OR_RETURN(const std::vector<lake::Part> parts, writer.Commit(options_.from_us, options_.to_us));
    for (const lake::Part& part : parts) InfoOf(part.first_us).parts.emplace_back(part.path, part.checksum);
    for (auto& [day, info] : sets_) {
      info.closed = (day + 1) * kDayUs + objectives_.window_us_max() < as_of_us_;
      std::ranges::sort(info.parts);
      result_.sets.push_back(std::move(info));
    }
    return std::move(result_);
  }

 private:
  /// A user of whom requests are in the partition.
  struct User {
    UserHistory history;
    std::vector<uint32_t> requests;  ///< by user_offset
    size_t next = 0;                 ///< the first of which the sequence is not taken yet
    std::vector<std::pair<LogTimeUs, state::UserMark>> marks;
  };

  /// The first record that there is. FailedPrecondition: some of the days asked for are gone, perhaps.
  absl::StatusOr<log::Offset> FirstOf(log::Topic topic, uint32_t partition) const {
    ASSIGN_OR_RETURN(const log::Offset begin, log_.BeginOffset(topic, partition));
    ASSIGN_OR_RETURN(const log::Offset end, log_.EndOffset(topic, partition));
    if (begin == 0 || begin == end) return begin;
    ASSIGN_OR_RETURN(const log::Offset asked, log_.OffsetAtTime(topic, partition, options_.from_us));
    if (asked > begin) return begin;
    return absl::FailedPreconditionError(
        fmt::format("{} of partition {} below offset {} have left the log, and the lake does not have them; expected "
                    "all since {}",
                    log::TopicName(topic), partition, begin, DayOf(options_.from_us)));
  }

  absl::Status ForEachServed(uint32_t partition, int64_t from_us, int64_t to_us,
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

  /// The columns of the set: the features of the first record of the days, and behind them those of tables that the
  /// config's surfaces name, in the order of names, so that sets of one config have the same whatever was served.
  absl::StatusOr<std::vector<std::string>> FeatureNames() {
    ASSIGN_OR_RETURN(std::vector<std::string> names, FirstFeatureNames());
    std::erase_if(names, [&](const std::string& name) { return past_features_->IsOfTables(name); });
    std::set<std::string> of_tables;
    for (const config::Surface& surface : config_.surfaces) {
      for (const config::RankFeature& feature : surface.features) of_tables.insert(feature.name);
    }
    if (!names.empty()) names.insert(names.end(), of_tables.begin(), of_tables.end());
    return names;
  }

  absl::StatusOr<std::vector<std::string>> FirstFeatureNames() {
    std::vector<std::string> names;
    for (uint32_t p = 0; p < served_ends_.size() && names.empty(); ++p) {
      RETURN_IF_ERROR(ForEachServed(p, options_.from_us, options_.to_us, [&](const log::Record& record) {
        if (!record_.ParseFromString(record.value) || record_.feature_names().empty()) return absl::OkStatus();
        names.assign(record_.feature_names().begin(), record_.feature_names().end());
        return absl::CancelledError();
      }));
    }
    return names;
  }

  /// Whoever was served in the days.
  absl::StatusOr<absl::flat_hash_set<uint64_t>> ServedIds() {
    absl::flat_hash_set<uint64_t> ids;
    for (uint32_t p = 0; p < served_ends_.size(); ++p) {
      RETURN_IF_ERROR(ForEachServed(p, options_.from_us, options_.to_us, [&](const log::Record& record) {
        ids.insert(ServedUserKeyOf(record.value));
        return absl::OkStatus();
      }));
    }
    return ids;
  }

  absl::Status ReadRequests(uint32_t partition) {
    requests_.clear();
    by_id_.clear();
    users_.clear();
    by_offset_.clear();
    // Whose an event without a request id is does not depend on the days asked for: what was served around them may
    // have shown the item, too.
    const int64_t around_us = objectives_.window_us_max();
    const auto read = [&](const log::Record& stored) {
      const bool in_days = stored.append_time_us >= options_.from_us && stored.append_time_us < options_.to_us;
      if (!record_.ParseFromString(stored.value)) {
        if (!in_days) return absl::OkStatus();
        ++InfoOf(stored.append_time_us).refused["undecodable"];
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
    RETURN_IF_ERROR(ForEachServed(partition, options_.from_us - around_us, options_.to_us + around_us, read));
    by_offset_.resize(requests_.size());
    std::iota(by_offset_.begin(), by_offset_.end(), 0u);
    std::ranges::stable_sort(by_offset_, {}, [&](uint32_t i) { return requests_[i].user_offset; });
    for (const uint32_t i : by_offset_) users_[requests_[i].user].requests.push_back(i);
    for (uint32_t i = 0; i < requests_.size(); ++i) by_id_.emplace(requests_[i].id, i);
    return absl::OkStatus();
  }

  absl::Status FoldEvents(uint32_t partition) {
    LogTimeUs log_us = 0;
    size_t next = 0;
    LogTimeUs last_close_us = 0;
    for (const Request& request : requests_) {
      if (!request.record.empty())
        last_close_us = std::max(last_close_us, request.time_us + objectives_.window_us_max());
    }
    v1::Event event;
    RETURN_IF_ERROR(ForEachRecord(
        log_, log::Topic::kEvents, partition, event_begins_[partition], event_ends_[partition],
        [&](const log::Record& record) {
          if (++result_.events % kStepEvents == 0 && options_.on_step) RETURN_IF_ERROR(options_.on_step());
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
          if (counted.has_value() && counted->item != 0 && !Attribute(*counted, user)) ++result_.unattributed;
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
  void Mark(const User& user) {
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
  void LeaveOut(log::Offset forgotten, const User& user) {
    for (const uint32_t i : user.requests) {
      if (requests_[i].user_offset <= forgotten) requests_[i].record.clear();
    }
  }

  /// What the user had done for the requests that saw nothing from `offset` on.
  void TakeSequences(log::Offset offset, User* user) {
    for (; user->next < user->requests.size(); ++user->next) {
      Request& request = requests_[user->requests[user->next]];
      if (request.user_offset > offset) break;
      if (request.record.empty()) continue;
      request.sequence = user->history.Actions(policy_);
    }
  }

  bool Attribute(const CountedEvent& event, const User& user) {
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
  void AttributeLaterEvents() {
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

  absl::Status WriteRows(RowWriter* writer) {
    for (Request& request : requests_) {
      if (request.record.empty()) continue;
      SetInfo& info = InfoOf(request.append_time_us);
      if (request.marked) {
        ++info.refused["marked_user"];
        continue;
      }
      if (!record_.ParseFromString(request.record)) return absl::InternalError("a record that decoded does no more");
      ASSIGN_OR_RETURN(const std::string_view leak, leaks_.Find(request, record_));
      if (!leak.empty()) {
        ++info.refused[std::string(leak)];
        continue;
      }
      columns_->Append(request, record_, as_of_us_, writer->BatchOf(request.append_time_us), &info);
      RETURN_IF_ERROR(writer->Added());
      request = {};
    }
    return absl::OkStatus();
  }

  SetInfo& InfoOf(int64_t append_time_us) {
    SetInfo& info = sets_[append_time_us / kDayUs];
    if (info.day.empty()) {
      info.day = DayOf(append_time_us);
      info.as_of_us = as_of_us_;
      columns_->Prepare(&info);
    }
    return info;
  }

  const config::Config& config_;
  const signal::Set& signals_;
  const Objectives& objectives_;
  const log::EventLog& log_;
  lake::Lake* const lake_;
  const BuildOptions& options_;
  const state::FoldPolicy policy_;
  PastFeatures* const past_features_;
  Leaks leaks_;
  LogTimeUs as_of_us_ = 0;
  std::vector<log::Offset> event_begins_, event_ends_, served_ends_;
  Identities identities_;
  std::unique_ptr<RowColumns> columns_;
  std::map<int64_t, SetInfo> sets_;  ///< by day
  BuildResult result_;
  v1::ServedRecord record_;  ///< reused, so that its memory is allocated once

  // Of one partition.
  std::vector<Request> requests_;
  std::vector<uint32_t> by_offset_;
  base::StringMap<uint32_t> by_id_;
  absl::flat_hash_map<uint64_t, User> users_;
};

}  // namespace

std::string DayOf(int64_t time_us) { return base::FormatTimeUs(time_us).substr(0, 10); }

Builder::Builder(const config::Config* config, const signal::Set* signals, const Objectives* objectives,
                 const log::EventLog* log, lake::Lake* lake, VersionTimes versions, PastFeatures* features)
    : config_(config),
      signals_(signals),
      objectives_(objectives),
      log_(log),
      lake_(lake),
      versions_(std::move(versions)),
      features_(features) {}

absl::StatusOr<BuildResult> Builder::Build(const BuildOptions& options) {
  if (objectives_->size() == 0) {
    return absl::FailedPreconditionError(
        "objectives: found none; expected at least one [objectives.NAME] in the config: what labels are about");
  }
  if (options.from_us % kDayUs != 0 || options.to_us % kDayUs != 0 || options.from_us >= options.to_us) {
    return absl::InvalidArgumentError(fmt::format("from, to: found {} and {}; expected two days, the second one later",
                                                  DayOf(options.from_us), DayOf(options.to_us)));
  }
  const Negatives& negatives = options.negatives;
  if (!(negatives.share > 0 && negatives.share <= 1) ||
      (negatives.share < 1) != (negatives.correction != Correction::kNone)) {
    return absl::InvalidArgumentError(
        fmt::format("negatives: found {} with the correction \"{}\"; expected a share above 0 and below 1 with "
                    "\"weights\" or \"offset\", or 1 with none",
                    negatives.share, CorrectionName(negatives.correction)));
  }
  if (negatives.correction == Correction::kOffset && objectives_->size() > 1) {
    return absl::InvalidArgumentError(
        fmt::format("correction: found \"offset\" with {} objectives; expected \"weights\": what is left out has no "
                    "label of any, so that one offset fits one objective alone",
                    objectives_->size()));
  }
  return Work(*config_, *signals_, *objectives_, *log_, lake_, versions_, features_, options).Run();
}

}  // namespace bowerbird::rows
