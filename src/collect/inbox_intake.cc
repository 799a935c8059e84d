#include "collect/inbox_intake.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <numeric>
#include <utility>

#include "absl/synchronization/blocking_counter.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "bowerbird/v1/event.pb.h"
#include "catalog/problem.h"

namespace bowerbird::collect {
namespace {

constexpr int64_t kTakeTimeoutUs = 200'000;
constexpr absl::Duration kRetryPause = absl::Milliseconds(200);
constexpr absl::Duration kRetryPauseMax = absl::Seconds(5);
constexpr size_t kReasonsMax = 5;

/// Why a record has something that was not taken; empty when it has nothing.
std::string ReasonOf(const absl::StatusOr<CollectResult>& answer) {
  if (!answer.ok()) return std::string(answer.status().message());
  std::string reason;
  size_t said = 0;
  for (const Verdict& verdict : answer->verdicts) {
    if (verdict.kind != Verdict::Kind::kRejected) continue;
    if (++said > kReasonsMax) continue;
    fmt::format_to(std::back_inserter(reason), "{}{}: {} ({})", reason.empty() ? "" : "; ", verdict.problem.field,
                   verdict.problem.detail, verdict.problem.code);
  }
  if (said > kReasonsMax) fmt::format_to(std::back_inserter(reason), "; and {} more", said - kReasonsMax);
  return reason;
}

/// Whether it may be taken another time.
bool IsTransient(const absl::Status& status) { return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status); }

}  // namespace

bool IsProtobufBody(std::string_view body, std::string_view content_type) {
  if (content_type.find("protobuf") != std::string_view::npos) return true;
  if (content_type.find("json") != std::string_view::npos) return false;
  const size_t first = body.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && body[first] != '{' && body[first] != '[';
}

InboxIntake::InboxIntake(std::unique_ptr<log::Inbox> inbox, std::string topic, CollectorOf collector,
                         log::EventLog* log)
    : inbox_(std::move(inbox)), topic_(std::move(topic)), collector_(std::move(collector)), log_(log) {}

void InboxIntake::Start() {
  thread_ = std::thread([this] {
    absl::Duration pause = kRetryPause;
    while (!stop_.HasBeenNotified()) {
      if (TakeOnce(kTakeTimeoutUs).ok()) {
        pause = kRetryPause;
        continue;
      }
      ++failures_;
      stop_.WaitForNotificationWithTimeout(pause);
      pause = std::min(2 * pause, kRetryPauseMax);
    }
  });
}

void InboxIntake::Stop() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<size_t> InboxIntake::TakeOnce(int64_t timeout_us) {
  ASSIGN_OR_RETURN(const std::vector<log::InboxRecord> records, inbox_->Take(kRecordsAtOnce, kBytesAtOnce, timeout_us));
  lag_ = inbox_->Lag();
  if (records.empty()) return size_t{0};
  std::vector<absl::StatusOr<CollectResult>> answers(records.size());
  std::vector<size_t> left(records.size());
  std::iota(left.begin(), left.end(), size_t{0});
  // Each until it is durable or refused for good: going on without one would lose it at the commit.
  for (absl::Duration pause = kRetryPause;; pause = std::min(2 * pause, kRetryPauseMax)) {
    CollectAll(records, left, &answers);
    std::erase_if(left, [&](size_t i) { return answers[i].ok() || !IsTransient(answers[i].status()); });
    if (left.empty()) break;
    ++failures_;
    if (stop_.WaitForNotificationWithTimeout(pause)) return answers[left[0]].status();
  }
  for (absl::Duration pause = kRetryPause;; pause = std::min(2 * pause, kRetryPauseMax)) {
    const absl::Status kept = KeepRefused(records, answers);
    if (kept.ok()) break;
    ++failures_;
    if (stop_.WaitForNotificationWithTimeout(pause)) return kept;
  }
  records_ += records.size();
  for (const auto& answer : answers) {
    accepted_ += answer.ok() ? answer->accepted : 0;
    rejected_ += answer.ok() ? answer->rejected : 1;
  }
  // A commit that fails makes records come again, which does no harm.
  if (!inbox_->Commit().ok()) ++failures_;
  lag_ = inbox_->Lag();
  return records.size();
}

void InboxIntake::CollectAll(const std::vector<log::InboxRecord>& records, const std::vector<size_t>& indexes,
                             std::vector<absl::StatusOr<CollectResult>>* answers) {
  absl::BlockingCounter pending(static_cast<int>(indexes.size()));
  for (const size_t i : indexes) {
    const log::InboxRecord& record = records[i];
    const Collector::Origin origin{fmt::format("{}-{}-{}", topic_, record.partition, record.offset), record.time_us};
    collector_().CollectFrom(origin, record.value, IsProtobufBody(record.value, record.content_type),
                             [&pending, answer = &(*answers)[i]](absl::StatusOr<CollectResult> result) {
                               *answer = std::move(result);
                               pending.DecrementCount();
                             });
  }
  pending.Wait();
}

log::AppendRecord InboxIntake::DeadLetter(const log::InboxRecord& record, std::string reason) const {
  v1::DeadLetter letter;
  letter.set_topic(topic_);
  letter.set_partition(record.partition);
  letter.set_offset(record.offset);
  letter.set_reason(std::move(reason));
  letter.set_key(record.key);
  letter.set_value(record.value);
  std::string value = letter.SerializeAsString();
  if (value.size() > log::EventLog::kValueBytesMax) {  // the record is in its own topic still
    letter.clear_value();
    letter.clear_key();
    value = letter.SerializeAsString();
  }
  const uint32_t partition = record.partition % log_->PartitionCount(log::Topic::kDeadLetters);
  return {log::Topic::kDeadLetters, partition, fmt::format("{}/{}/{}", topic_, record.partition, record.offset),
          std::move(value)};
}

absl::Status InboxIntake::KeepRefused(const std::vector<log::InboxRecord>& records,
                                      const std::vector<absl::StatusOr<CollectResult>>& answers) {
  for (size_t i = 0; i < records.size(); ++i) {
    std::string reason = ReasonOf(answers[i]);
    if (reason.empty()) continue;
    RETURN_IF_ERROR(log_->Append({DeadLetter(records[i], std::move(reason))}).status());
    ++dead_letters_;
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::collect
