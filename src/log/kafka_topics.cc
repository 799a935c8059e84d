#include "log/kafka_topics.h"

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::log {
namespace {

constexpr auto kPause = std::chrono::milliseconds(20);

struct NewTopicDelete {
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
};
struct ResourceDelete {
  void operator()(rd_kafka_ConfigResource_t* resource) const { rd_kafka_ConfigResource_destroy(resource); }
};
using Resource = std::unique_ptr<rd_kafka_ConfigResource_t, ResourceDelete>;
using Settings = std::map<std::string, std::string>;

uint32_t PartitionsOf(Topic topic, const KafkaTopicOptions& options) {
  return HasOnePartition(topic) ? 1 : options.user_partitions;
}

/// What the log relies on.
Settings WantedSettings(Topic topic, const KafkaTopicOptions& options) {
  const auto found = options.retention_us.find(topic);
  const bool kept = found == options.retention_us.end();
  const std::string retention_ms = kept ? "-1" : std::to_string(found->second / 1000);
  Settings settings = {{"retention.bytes", "-1"},
                       {"max.message.bytes", "5242880"},
                       {"message.timestamp.type", "CreateTime"},
                       {"unclean.leader.election.enable", "false"}};
  if (IsCompacted(topic) && !kept) {
    // With "delete" as well, or Truncate would be refused; without a retention it deletes nothing.
    settings["cleanup.policy"] = "compact,delete";
    settings["retention.ms"] = "-1";
    settings["min.compaction.lag.ms"] = retention_ms;
  } else {
    settings["cleanup.policy"] = "delete";
    settings["retention.ms"] = retention_ms;
  }
  return settings;
}

/// Partitions of each topic of the cluster that has a leader in all of them; 0 where one has none.
absl::StatusOr<std::map<std::string, uint32_t>> Existing(rd_kafka_t* client, int timeout_ms) {
  const rd_kafka_metadata_t* raw = nullptr;
  // All topics: asking for one that is not there might make it, as the brokers like it.
  const rd_kafka_resp_err_t error = rd_kafka_metadata(client, 1, nullptr, &raw, timeout_ms);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaStatus(error, "kafka: list of topics");
  const std::unique_ptr<const rd_kafka_metadata_t, KafkaDelete> metadata(raw);
  std::map<std::string, uint32_t> existing;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    uint32_t count = static_cast<uint32_t>(topic.partition_cnt);
    for (int p = 0; p < topic.partition_cnt; ++p) {
      if (topic.partitions[p].leader < 0) count = 0;
    }
    existing[topic.topic] = count;
  }
  return existing;
}

absl::Status Create(rd_kafka_t* client, const std::vector<std::pair<std::string, uint32_t>>& topics,
                    const std::map<std::string, Settings>& settings, int replication, int timeout_ms) {
  std::vector<std::unique_ptr<rd_kafka_NewTopic_t, NewTopicDelete>> owned;
  std::vector<rd_kafka_NewTopic_t*> raw;
  for (const auto& [name, partitions] : topics) {
    char text[256] = "";
    rd_kafka_NewTopic_t* topic =
        rd_kafka_NewTopic_new(name.c_str(), static_cast<int>(partitions), replication, text, sizeof(text));
    if (topic == nullptr) return absl::InvalidArgumentError(fmt::format("kafka topic {}: {}", name, text));
    owned.emplace_back(topic);
    if (const auto found = settings.find(name); found != settings.end()) {
      for (const auto& [key, value] : found->second) rd_kafka_NewTopic_set_config(topic, key.c_str(), value.c_str());
    }
    // An acknowledgement then means two disks, and one broker may be away.
    if (replication >= 3) {
      rd_kafka_NewTopic_set_config(topic, "min.insync.replicas", std::to_string(replication - 1).c_str());
    }
    raw.push_back(topic);
  }
  ASSIGN_OR_RETURN(const auto event,
                   KafkaAdmin(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms * kKafkaSettlingTimeouts,
                              "kafka: make topics", [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                                rd_kafka_CreateTopics(client, raw.data(), raw.size(), options, queue);
                              }));
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
    if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;  // somebody else was as quick
    const char* detail = rd_kafka_topic_result_error_string(results[i]);
    RETURN_IF_ERROR(KafkaStatus(error, fmt::format("kafka: make topic {}", rd_kafka_topic_result_name(results[i])),
                                detail == nullptr ? "" : detail));
  }
  return absl::OkStatus();
}

}  // namespace

KafkaTopicNames::KafkaTopicNames(const std::string& prefix) : events_in(prefix + "events_in") {
  for (const Topic topic : kAllTopics) {
    names[static_cast<size_t>(topic) - 1] = prefix + std::string(TopicName(topic));
  }
}

absl::Status EnsureKafkaTopics(rd_kafka_t* client, const KafkaTopicNames& names, const KafkaTopicOptions& options,
                               int timeout_ms) {
  const int64_t deadline_us = base::MonotonicUs() + int64_t{timeout_ms} * kKafkaSettlingTimeouts * 1000;
  bool made = false;
  while (true) {
    ASSIGN_OR_RETURN(const auto existing, Existing(client, timeout_ms));
    std::vector<std::pair<std::string, uint32_t>> missing;
    std::map<std::string, Settings> settings;
    std::string without_leader;
    const auto look = [&](const std::string& name, uint32_t partitions, bool exact) -> absl::Status {
      const auto found = existing.find(name);
      if (found == existing.end()) {
        missing.emplace_back(name, partitions);
      } else if (found->second == 0) {
        without_leader = name;
      } else if (exact && found->second != partitions) {
        return absl::FailedPreconditionError(fmt::format(
            "kafka topic {} has {} partitions; the config asks for {}. Keep app.partitions, or choose another "
            "log.topic_prefix",
            name, found->second, partitions));
      }
      return absl::OkStatus();
    };
    for (const Topic topic : kAllTopics) {
      RETURN_IF_ERROR(look(names[topic], PartitionsOf(topic, options), true));
      settings[names[topic]] = WantedSettings(topic, options);
    }
    // It is other people's: any number of partitions will do.
    if (options.events_in) RETURN_IF_ERROR(look(names.events_in, options.user_partitions, false));
    if (missing.empty() && without_leader.empty()) break;
    if (base::MonotonicUs() > deadline_us) {
      return absl::UnavailableError(fmt::format("kafka topic {} has a partition without a leader after {} ms",
                                                missing.empty() ? without_leader : missing[0].first,
                                                timeout_ms * kKafkaSettlingTimeouts));
    }
    if (!missing.empty() && !made) {
      RETURN_IF_ERROR(Create(client, missing, settings, options.replication, timeout_ms));
      made = true;
    }
    std::this_thread::sleep_for(kPause);
  }
  while (true) {
    absl::Status configured = ConfigureKafkaTopics(client, names, options, timeout_ms);
    // A broker that has not heard of a new topic yet.
    if (!absl::IsUnavailable(configured) || base::MonotonicUs() > deadline_us) return configured;
    std::this_thread::sleep_for(kPause);
  }
}

absl::Status ConfigureKafkaTopics(rd_kafka_t* client, const KafkaTopicNames& names, const KafkaTopicOptions& options,
                                  int timeout_ms) {
  std::vector<Resource> owned;
  std::vector<rd_kafka_ConfigResource_t*> raw;
  for (const std::string& name : names.names) {
    owned.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
    raw.push_back(owned.back().get());
  }
  ASSIGN_OR_RETURN(const auto described,
                   KafkaAdmin(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms, "kafka: read topic configurations",
                              [&](rd_kafka_AdminOptions_t* admin_options, rd_kafka_queue_t* queue) {
                                rd_kafka_DescribeConfigs(client, raw.data(), raw.size(), admin_options, queue);
                              }));
  size_t count = 0;
  const rd_kafka_ConfigResource_t** results =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(described.get()), &count);
  std::vector<Resource> changed;
  std::vector<rd_kafka_ConfigResource_t*> changed_raw;
  for (const Topic topic : kAllTopics) {
    const Settings wanted = WantedSettings(topic, options);
    for (size_t i = 0; i < count; ++i) {
      if (names[topic] != rd_kafka_ConfigResource_name(results[i])) continue;
      RETURN_IF_ERROR(KafkaStatus(rd_kafka_ConfigResource_error(results[i]),
                                  fmt::format("kafka: read configuration of topic {}", names[topic])));
      // Setting replaces all that was set, so what others have set is said again.
      Settings all = wanted;
      bool differs = false;
      size_t entry_count = 0;
      const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(results[i], &entry_count);
      for (size_t e = 0; e < entry_count; ++e) {
        const char* value = rd_kafka_ConfigEntry_value(entries[e]);
        if (value == nullptr) continue;
        const std::string name = rd_kafka_ConfigEntry_name(entries[e]);
        const auto want = wanted.find(name);
        if (want != wanted.end()) {
          differs |= want->second != value;
        } else if (rd_kafka_ConfigEntry_source(entries[e]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG &&
                   name != "min.compaction.lag.ms") {
          all[name] = value;
        }
      }
      if (!differs) continue;
      changed.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, names[topic].c_str()));
      for (const auto& [name, value] : all) {
        rd_kafka_ConfigResource_set_config(changed.back().get(), name.c_str(), value.c_str());
      }
      changed_raw.push_back(changed.back().get());
    }
  }
  if (changed.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto altered,
                   KafkaAdmin(client, RD_KAFKA_ADMIN_OP_ALTERCONFIGS, timeout_ms, "kafka: configure topics",
                              [&](rd_kafka_AdminOptions_t* admin_options, rd_kafka_queue_t* queue) {
                                rd_kafka_AlterConfigs(client, changed_raw.data(), changed_raw.size(), admin_options,
                                                      queue);
                              }));
  results = rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(altered.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    RETURN_IF_ERROR(KafkaStatus(rd_kafka_ConfigResource_error(results[i]),
                                fmt::format("kafka: configure topic {}", rd_kafka_ConfigResource_name(results[i]))));
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::log
