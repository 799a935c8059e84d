#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/event_log.h"
#include "log/kafka_client.h"

namespace bowerbird::log {

/// The log's topics in the cluster: PREFIXevents, PREFIXcatalog, ..., and PREFIXevents_in, to which others write.
struct KafkaTopicNames {
  explicit KafkaTopicNames(const std::string& prefix);
  const std::string& operator[](Topic topic) const { return names[static_cast<size_t>(topic) - 1]; }
  std::array<std::string, std::size(kAllTopics)> names;
  std::string events_in;
};

struct KafkaTopicOptions {
  uint32_t user_partitions = 64;
  int replication = -1;  ///< of topics that are made; -1: as the brokers say
  std::map<Topic, int64_t> retention_us;
  bool events_in = true;
};

/// Hundreds of new partitions have their leaders after so many times what one answer may take, or not at all.
inline constexpr int kKafkaSettlingTimeouts = 6;

/// Makes the topics that are not there, and gives all but events_in the configuration that the log relies on; what else
/// their owners have set stays.
///
/// Errors  FailedPrecondition: a topic has other partition counts, both named. InvalidArgument, PermissionDenied: the
/// cluster refuses, the message names the topic. Unavailable: no answer within `timeout_ms`, or no leaders in the end.
absl::Status EnsureKafkaTopics(rd_kafka_t* client, const KafkaTopicNames& names, const KafkaTopicOptions& options,
                               int timeout_ms);

/// The configuration alone, for another retention.
absl::Status ConfigureKafkaTopics(rd_kafka_t* client, const KafkaTopicNames& names, const KafkaTopicOptions& options,
                                  int timeout_ms);

}  // namespace bowerbird::log
