#include "log/event_log.h"

#include <string>

#include "fmt/format.h"

namespace bowerbird::log {

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
  return topic == Topic::kCatalog || topic == Topic::kUsers || topic == Topic::kCollections;
}

}  // namespace bowerbird::log
