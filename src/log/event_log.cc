#include "log/event_log.h"

#include <condition_variable>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "fmt/format.h"

namespace bowerbird::log {
namespace {

constexpr size_t kKeyBytesMax = 256;

}  // namespace

std::string_view TopicName(Topic topic) {
  switch (topic) {
    case Topic::kEvents:
      return "events";
    case Topic::kCatalog:
      return "catalog";
    case Topic::kUsers:
      return "users";
    case Topic::kCollections:
      return "collections";
    case Topic::kServed:
      return "served";
    case Topic::kExposures:
      return "exposures";
    case Topic::kOutbox:
      return "outbox";
    case Topic::kItemTables:
      return "item_tables";
    case Topic::kDeadLetters:
      return "dead_letters";
    case Topic::kExperiments:
      return "experiments";
  }
  return "unknown";
}

absl::StatusOr<Topic> TopicFromName(std::string_view name) {
  std::string known;
  for (const Topic topic : kAllTopics) {
    if (TopicName(topic) == name) return topic;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", TopicName(topic));
  }
  return absl::InvalidArgumentError(fmt::format("topic is \"{}\"; expected one of {}", name, known));
}

bool IsCompacted(Topic topic) {
  return topic == Topic::kCatalog || topic == Topic::kUsers || topic == Topic::kCollections ||
         topic == Topic::kExperiments;
}

bool HasOnePartition(Topic topic) {
  return topic == Topic::kCatalog || topic == Topic::kItemTables || topic == Topic::kExperiments;
}

std::vector<Offset> EventLog::ReadTogether(Topic, std::span<const Offset> from) const {
  return std::vector<Offset>(from.size(), std::numeric_limits<Offset>::max());
}

absl::Status CheckSizes(const std::vector<AppendRecord>& batch, size_t* bytes) {
  for (const AppendRecord& record : batch) {
    if (record.key.size() > kKeyBytesMax) {
      return absl::InvalidArgumentError(
          fmt::format("a key has {} bytes; at most {} are taken", record.key.size(), kKeyBytesMax));
    }
    if (record.value.size() > EventLog::kValueBytesMax) {
      return absl::InvalidArgumentError(
          fmt::format("a value has {} bytes; at most {} are taken", record.value.size(), EventLog::kValueBytesMax));
    }
    *bytes += record.key.size() + record.value.size() + sizeof(AppendRecord);
  }
  if (*bytes > EventLog::kBatchBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("a batch has {} bytes; at most {} are taken at once", *bytes, EventLog::kBatchBytesMax));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Offset>> AppendAndWait(EventLog* log, std::vector<AppendRecord> batch) {
  std::mutex mutex;
  std::condition_variable answered;
  std::optional<absl::StatusOr<std::vector<Offset>>> answer;
  log->AppendAsync(std::move(batch), [&](absl::StatusOr<std::vector<Offset>> result) {
    // Notified under the lock: the waiter's variables go as soon as it can have the lock.
    std::lock_guard lock(mutex);
    answer = std::move(result);
    answered.notify_one();
  });
  std::unique_lock lock(mutex);
  answered.wait(lock, [&] { return answer.has_value(); });
  return *std::move(answer);
}

}  // namespace bowerbird::log
