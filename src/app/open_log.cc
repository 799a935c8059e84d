#include "app/open_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "log/kafka_inbox.h"
#include "log/kafka_log.h"
#include "log/rocks_log.h"
#include "store/file.h"
#include "store/rocks.h"

namespace bowerbird::app {
namespace {

constexpr size_t kLogCacheBytes = 32u << 20;
constexpr size_t kLogBufferBytes = 256u << 20;

absl::StatusOr<log::KafkaClientOptions> ClientOptions(const config::Log& config) {
  log::KafkaClientOptions options;
  options.brokers = config.brokers;
  options.properties = config.client;
  for (const auto& [key, property, path] :
       {std::tuple{"log.password_file", "sasl.password", &config.password_file},
        std::tuple{"log.key_password_file", "ssl.key.password", &config.key_password_file}}) {
    if (path->empty()) continue;
    const absl::StatusOr<std::string> text = store::ReadFile(*path);
    if (!text.ok()) {
      return absl::InvalidArgumentError(fmt::format("{}: found \"{}\"; expected a file with the password: {}", key,
                                                    *path, std::string(text.status().message())));
    }
    // Editors end a file with a newline.
    options.properties.emplace_back(property, std::string(absl::StripTrailingAsciiWhitespace(*text)));
  }
  return options;
}

}  // namespace

std::map<log::Topic, int64_t> Retention(const config::Config& config) {
  std::map<log::Topic, int64_t> retention_us;
  for (const log::Topic topic : log::kAllTopics) {
    const auto own = config.log.topic_retention_us.find(log::TopicName(topic));
    const int64_t keep_us = own == config.log.topic_retention_us.end() ? config.log.retention_us : own->second;
    if (keep_us > 0) retention_us[topic] = keep_us;
  }
  return retention_us;
}

absl::StatusOr<std::unique_ptr<log::ManagedLog>> OpenLog(const config::Config& config, const std::string& folder,
                                                         const base::Clock* clock) {
  if (config.log.kind == config::Log::Kind::kKafka) {
    log::KafkaLogOptions options;
    ASSIGN_OR_RETURN(options.client, ClientOptions(config.log));
    options.topic_prefix = config.log.topic_prefix;
    options.topics.user_partitions = config.partitions;
    options.topics.replication = config.log.replication == 0 ? -1 : static_cast<int>(config.log.replication);
    options.topics.retention_us = Retention(config);
    options.topics.events_in = config.log.events_in;
    options.clock = clock;
    return log::KafkaLog::Open(options);
  }
  log::RocksLogOptions options;
  options.user_partitions = config.partitions;
  options.clock = clock;
  options.memory = store::MakeRocksMemory(kLogCacheBytes, kLogBufferBytes);
  options.retention_us = Retention(config);
  return log::RocksLog::Open(folder, options);
}

absl::StatusOr<std::unique_ptr<log::Inbox>> OpenInbox(const config::Config& config, const std::string& folder) {
  if (config.log.kind != config::Log::Kind::kKafka || !config.log.events_in) return nullptr;
  ASSIGN_OR_RETURN(const log::KafkaClientOptions options, ClientOptions(config.log));
  // A folder has one process at a time, and a machine one folder of a path.
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  const std::string place = fmt::format("{}:{}", host, std::filesystem::absolute(folder).lexically_normal().string());
  return log::KafkaInbox::Open(options, config.log.topic_prefix, fmt::format("{:016x}", base::Hash64(place)));
}

}  // namespace bowerbird::app
