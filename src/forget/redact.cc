#include "forget/redact.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "bowerbird/v1/event.pb.h"
#include "forget/forgotten.h"
#include "forget/record_changes.h"
#include "forget/redacted.h"
#include "forget/text_files.h"
#include "state/fold.h"
#include "store/file.h"

namespace bowerbird::forget {
namespace {

using catalog::UserKey;
using log::Offset;
using log::Topic;
using Replacement = log::ManagedLog::Replacement;
namespace fs = std::filesystem;

constexpr size_t kReadRecords = 4096;
constexpr size_t kReadBytes = 8u << 20;
/// The field `forget` of an event, which is empty, as it is stored.
constexpr std::string_view kForgetField("\xe2\x02\x00", 3);

/// folder/redaction.json: lost, it is as if the log had never been looked through.
struct Progress {
  bool running = false;         ///< a call has begun and has not ended
  std::vector<Offset> scanned;  ///< by partition: below, nobody who was forgotten is left

  static absl::StatusOr<Progress> Load(const std::string& path, uint32_t partitions) {
    Progress progress;
    progress.scanned.resize(partitions);
    const absl::StatusOr<std::string> text = store::ReadFile(path);
    if (absl::IsNotFound(text.status())) return progress;
    RETURN_IF_ERROR(text.status());
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    simdjson::dom::array scanned;
    bool running = false;
    if (parser.parse(*text).get(root) || root["running"].get(running) || root["scanned"].get(scanned)) return progress;
    progress.running = running;
    for (uint32_t p = 0; p < partitions && p < scanned.size(); ++p) {
      uint64_t offset = 0;
      if (scanned.at(p).get(offset) == simdjson::SUCCESS) progress.scanned[p] = offset;
    }
    return progress;
  }
  absl::Status Store(const std::string& path) const {
    std::string text;
    base::JsonWriter json(&text);
    json.BeginObject().Key("running").Bool(running).Key("scanned").BeginArray();
    for (const Offset offset : scanned) json.Uint(offset);
    json.EndArray().EndObject();
    return store::AtomicWriteFile(path, text);
  }
};

class Redaction {
 public:
  explicit Redaction(const Stores& stores)
      : stores_(stores),
        log_(*stores.log),
        partitions_(log_.PartitionCount(Topic::kEvents)),
        progress_path_(stores.folder + "/redaction.json"),
        item_signals_(*stores.config, signal::Per::kItem) {
    changes_.log = stores.log;
    changes_.history = stores.history;
    changes_.config = stores.config.get();
    changes_.item_signals = &item_signals_;
    changes_.forgotten = &forgotten_;
    changes_.cancelled = stores.cancelled;
  }

  absl::StatusOr<RedactReport> Run() {
    const int64_t start_us = base::MonotonicUs();
    ASSIGN_OR_RETURN(progress_, Progress::Load(progress_path_, partitions_));
    resumed_ = progress_.running;
    report_.log_by_retention = !log_.rewrites();
    std::vector<Offset> ends;
    RETURN_IF_ERROR(FindForgotten(&ends));
    if (!forgotten_.empty() || resumed_) {
      if (!resumed_) {
        progress_.running = true;
        RETURN_IF_ERROR(progress_.Store(progress_path_));
      }
      RETURN_IF_ERROR(RedactAll());
    }
    if (progress_.running || progress_.scanned != ends) {
      progress_ = {false, std::move(ends)};
      RETURN_IF_ERROR(progress_.Store(progress_path_));
    }
    report_.ids = forgotten_.all().size();
    report_.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
    return report_;
  }

 private:
  absl::Status Step() const { return stores_.cancelled ? stores_.cancelled() : absl::OkStatus(); }

  /// Who was forgotten beyond what was looked through before.
  absl::Status FindForgotten(std::vector<Offset>* ends) {
    v1::Event event;
    for (uint32_t p = 0; p < partitions_; ++p) {
      ASSIGN_OR_RETURN(const Offset begin, log_.BeginOffset(Topic::kEvents, p));
      ASSIGN_OR_RETURN(const Offset end, log_.EndOffset(Topic::kEvents, p));
      ends->push_back(end);
      Offset at = progress_.scanned[p];
      if (at < begin) {  // it has left the log before it was looked at
        ASSIGN_OR_RETURN(const Offset oldest, stores_.history->BeginOffset(Topic::kEvents, p));
        at = std::max(at, oldest);
      }
      while (at < end) {
        RETURN_IF_ERROR(Step());
        ASSIGN_OR_RETURN(const log::ReadResult read,
                         stores_.history->Read(Topic::kEvents, p, at, kReadRecords, kReadBytes));
        for (const log::Record& record : read.records) {
          if (record.offset >= end || record.value.find(kForgetField) == std::string::npos) continue;
          if (!event.ParseFromString(record.value) || !event.has_forget() || event.user().empty()) continue;
          forgotten_.Add({UserKey(event.user_key()), event.user(), record.offset, record.append_time_us});
          forgets_[p].push_back({record.offset, "", RedactedForget(event).SerializeAsString()});
        }
        if (read.next_offset <= at) break;
        at = read.next_offset;
      }
    }
    for (ForgottenUser& user : forgotten_.all()) {
      ASSIGN_OR_RETURN(const auto state, stores_.state->Get(user.key, user.id));
      user.unknown =
          state->events == 0 && state->becomes.empty() && absl::IsNotFound(stores_.catalog->GetUser(user.id).status());
    }
    return absl::OkStatus();
  }

  absl::Status RedactAll() {
    RETURN_IF_ERROR(RedactLog());
    RETURN_IF_ERROR(RedactLake());
    RETURN_IF_ERROR(MaskFiles());
    std::vector<UserKey> keys;
    for (const ForgottenUser& user : forgotten_.all()) keys.push_back(user.key);
    RETURN_IF_ERROR(stores_.state->Erase(keys));
    RETURN_IF_ERROR(stores_.catalog->EraseUsers(keys));
    // From here on nobody could tell whom the records were of.
    if (log_.rewrites()) {
      for (const auto& [p, forgets] : forgets_) RETURN_IF_ERROR(log_.Rewrite(Topic::kEvents, p, forgets));
    }
    RETURN_IF_ERROR(Step());
    return log_.EraseReplaced(resumed_);
  }

  absl::Status RedactLog() {
    if (forgotten_.empty()) return absl::OkStatus();
    for (const Topic topic : RecordChanges::kTopics) {
      if (topic == Topic::kEvents) continue;
      for (uint32_t p = 0; p < log_.PartitionCount(topic); ++p) {
        RETURN_IF_ERROR(Step());
        ASSIGN_OR_RETURN(std::vector<Replacement> changes, changes_.ChangesIn(topic, p));
        RETURN_IF_ERROR(RedactPartition(topic, p, std::move(changes)));
      }
    }
    ASSIGN_OR_RETURN(RecordChanges::EventChanges events, changes_.ChangesInEvents());
    event_begins_ = std::move(events.begins);
    for (uint32_t p = 0; p < partitions_; ++p) {
      RETURN_IF_ERROR(Step());
      RETURN_IF_ERROR(RedactPartition(Topic::kEvents, p, std::move(events.replacements[p])));
    }
    return absl::OkStatus();
  }

  absl::Status RedactPartition(Topic topic, uint32_t partition, std::vector<Replacement> changes) {
    if (log_.rewrites()) {
      ASSIGN_OR_RETURN(const Offset begin, log_.BeginOffset(topic, partition));
      RETURN_IF_ERROR(log_.Rewrite(topic, partition, changes));
      report_.log_records += static_cast<uint64_t>(
          std::ranges::count_if(changes, [&](const Replacement& change) { return change.offset >= begin; }));
    }
    if (const auto forgets = forgets_.find(partition); topic == Topic::kEvents && forgets != forgets_.end()) {
      changes.insert(changes.end(), forgets->second.begin(), forgets->second.end());
      std::ranges::sort(changes, {}, &Replacement::offset);
    }
    if (!changes.empty()) planned_[{topic, partition}] = std::move(changes);
    return absl::OkStatus();
  }

  /// What the log's record at the row's place has become in this call, or what the record says of itself.
  std::optional<log::Record> RowChange(Topic topic, uint32_t partition, const log::Record& record) const {
    std::optional<Replacement> change;
    if (const auto planned = planned_.find({topic, partition}); planned != planned_.end()) {
      const auto at = std::ranges::lower_bound(planned->second, record.offset, {}, &Replacement::offset);
      if (at != planned->second.end() && at->offset == record.offset) change = *at;
    }
    if (!change.has_value()) change = changes_.ChangeOf(topic, partition, record);
    if (!change.has_value() || (change->key == record.key && change->value == record.value)) return std::nullopt;
    return log::Record{record.offset, record.append_time_us, std::move(change->key), std::move(change->value)};
  }

  /// A file of which every record was looked at holds what was found there, and nothing else.
  bool MayHold(Topic topic, std::span<const lake::LogRange> ranges) const {
    if (std::ranges::find(RecordChanges::kTopics, topic) == std::end(RecordChanges::kTopics)) return false;
    if (resumed_) return true;
    return std::ranges::any_of(ranges, [&](const lake::LogRange& range) {
      const auto begin = topic == Topic::kEvents && range.partition < event_begins_.size()
                             ? absl::StatusOr<Offset>(event_begins_[range.partition])
                             : log_.BeginOffset(topic, range.partition);
      if (!begin.ok() || range.begin < *begin || log::IsCompacted(topic)) return true;
      const auto planned = planned_.find({topic, range.partition});
      if (planned == planned_.end()) return false;
      const auto at = std::ranges::lower_bound(planned->second, range.begin, {}, &Replacement::offset);
      return at != planned->second.end() && at->offset < range.end;
    });
  }

  absl::Status RedactLake() {
    if (forgotten_.empty() || !fs::exists(stores_.lake->folder())) return absl::OkStatus();
    // What is yet to come into a table comes out of a log that has nothing to hide, unless that cannot be changed.
    if (!log_.rewrites() && stores_.config->lake.enabled) RETURN_IF_ERROR(stores_.lake->CatchUp().status());
    std::vector<std::string> problems;
    const auto changes = [&](const lake::Table& table) {
      lake::RowChanges of_table;
      of_table.change = [this, topic = table.topic](uint32_t partition, const log::Record& record) {
        return RowChange(topic, partition, record);
      };
      of_table.may_hold = [this, topic = table.topic](std::span<const lake::LogRange> ranges) {
        return MayHold(topic, ranges);
      };
      return of_table;
    };
    ASSIGN_OR_RETURN(report_.lake_rows, stores_.lake->Redact(changes, Ids(), &problems));
    if (problems.empty()) return absl::OkStatus();
    return absl::DataLossError(fmt::format("users who were forgotten may be in these files, which are damaged: {}",
                                           absl::StrJoin(problems, "; ")));
  }

  absl::Status MaskFiles() {
    const std::vector<std::string> ids = Ids();
    RETURN_IF_ERROR(MaskIds(stores_.audit_log, LineForm::kAuditEntry, ids).status());
    std::error_code error;
    for (const fs::directory_entry& file : fs::directory_iterator(stores_.folder + "/imports", error)) {
      if (file.is_regular_file() && file.path().filename().string().ends_with("_rejected.tsv"))
        RETURN_IF_ERROR(MaskIds(file.path().string(), LineForm::kRejectedRow, ids).status());
    }
    return absl::OkStatus();
  }

  std::vector<std::string> Ids() const {
    std::vector<std::string> ids;
    for (const ForgottenUser& user : forgotten_.all()) ids.push_back(user.id);
    return ids;
  }

  const Stores& stores_;
  log::ManagedLog& log_;
  const uint32_t partitions_;
  const std::string progress_path_;
  const signal::Set item_signals_;
  Progress progress_;
  bool resumed_ = false;
  ForgottenUsers forgotten_;
  RecordChanges changes_;
  std::vector<Offset> event_begins_;  ///< where in topic events the changes were looked for from
  /// The records that say who was forgotten, with the key alone; and what is to be replaced before them, with them.
  std::map<uint32_t, std::vector<Replacement>> forgets_;
  std::map<std::pair<Topic, uint32_t>, std::vector<Replacement>> planned_;
  RedactReport report_;
};

}  // namespace

log::AppendRecord ForgetRecord(UserKey key, const std::string& id, int64_t now_us, uint32_t partitions) {
  v1::Event event;
  // Without a type: no job counts it as something that a user did.
  event.set_user(id);
  event.set_event_time_us(now_us);
  event.set_receive_time_us(now_us);
  event.set_schema(state::FoldPolicy::kSchema);
  event.set_user_key(key.value);
  event.mutable_forget();
  return {Topic::kEvents, catalog::PartitionOf(key, partitions), id, event.SerializeAsString()};
}

absl::StatusOr<RedactReport> Redact(const Stores& stores) { return Redaction(stores).Run(); }

}  // namespace bowerbird::forget
