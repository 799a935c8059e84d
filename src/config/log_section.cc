#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/string_map.h"
#include "config/sections.h"

namespace bowerbird::config {
namespace {

constexpr size_t kBrokersMax = 64;
constexpr size_t kClientPropertiesMax = 64;
constexpr size_t kPropertyBytesMax = 4096;
// Kafka takes names of up to 249; the longest of ours has 12.
constexpr size_t kPrefixBytesMax = 200;

/// What operators must say to be let in, and what they may weigh; the rest is what the log relies on.
constexpr std::string_view kClientProperties[] = {
    "batch.size",
    "broker.address.family",
    "client.id",
    "compression.codec",
    "linger.ms",
    "sasl.kerberos.keytab",
    "sasl.kerberos.principal",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.username",
    "security.protocol",
    "socket.keepalive.enable",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.cipher.suites",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
};

bool IsTopicName(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

/// "host:port"; a host in brackets may hold colons.
bool IsAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || text.size() > 300) return false;
  const std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool bracketed = host.front() == '[' && host.back() == ']';
  return error == std::errc() && end == port.data() + port.size() && number >= 1 && number <= 65'535 &&
         (bracketed || host.find(':') == std::string_view::npos) &&
         host.find_first_of(", \t/") == std::string_view::npos;
}

void ReadBrokers(TableReader* table, Log* log, Problems* problems) {
  std::vector<NameAt> brokers;
  if (!table->Names("brokers", &brokers)) return;
  if (brokers.empty() || brokers.size() > kBrokersMax) {
    return table->Refuse("brokers", fmt::format("a list of {}", brokers.size()),
                         fmt::format("1 to {} strings \"host:port\"", kBrokersMax));
  }
  for (NameAt& broker : brokers) {
    if (!IsAddress(broker.text)) problems->Add(broker.line, broker.path, Quote(broker.text), "\"host:port\"");
    log->brokers.push_back(std::move(broker.text));
  }
}

void ReadClient(TableReader table, Log* log, Problems* problems) {
  if (!table.CheckCount(kClientPropertiesMax)) return;
  for (const NameAt& property : table.Keys()) {
    if (property.text == "sasl.password" || property.text == "ssl.key.password") {
      // The config is published among the artifacts, and copied by backups.
      problems->Add(property.line, property.path, "a secret",
                    property.text == "sasl.password" ? "log.password_file, the file that has it"
                                                     : "log.key_password_file, the file that has it");
    } else if (std::ranges::find(kClientProperties, property.text) == std::end(kClientProperties)) {
      problems->Add(property.line, property.path, Quote(property.text),
                    OneOf("a property of librdkafka in quotes", property.text, kClientProperties));
    } else {
      std::string value;
      table.Text(property.text, 1, kPropertyBytesMax, &value);
      log->client.emplace_back(property.text, std::move(value));
    }
  }
}

}  // namespace

void ReadLog(TableReader table, const std::string& app, Draft* draft) {
  Log* const log = &draft->config.log;
  constexpr std::pair<std::string_view, Log::Kind> kKinds[] = {{"embedded", Log::Kind::kEmbedded},
                                                               {"kafka", Log::Kind::kKafka}};
  const bool kind_known = table.Choice<Log::Kind>("kind", kKinds, &log->kind) || !table.Has("kind");
  table.Duration("retention", 0, kDurationUsMax, &log->retention_us);
  if (log->retention_us > 0 && log->retention_us < kHourUs) {
    table.Refuse("retention", "less than an hour", "\"0s\" (keep everything) or at least \"1h\"");
  }
  TableReader topics = table.Table("topic_retention");
  for (const char* name : {"events", "catalog", "users", "collections", "served", "exposures", "outbox", "item_tables",
                           "dead_letters", "experiments"}) {
    int64_t keep_us = -1;
    topics.Duration(name, 0, kDurationUsMax, &keep_us);
    if (keep_us > 0 && keep_us < kHourUs)
      topics.Refuse(name, "less than an hour", "\"0s\" (keep everything) or at least \"1h\"");
    if (keep_us >= 0) log->topic_retention_us[name] = keep_us;
  }
  topics.RefuseUnknown("[log.topic_retention]");
  const bool kafka = log->kind == Log::Kind::kKafka;
  if (!kafka && kind_known) {
    for (const std::string_view key :
         {"brokers", "topic_prefix", "replication", "events_in", "password_file", "key_password_file", "client"}) {
      if (table.Has(key)) table.Refuse(key, "a key of kind \"kafka\"", "kind = \"kafka\", or nothing");
    }
  }
  ReadBrokers(&table, log, draft->problems);
  log->topic_prefix = app + ".";
  table.Text("topic_prefix", 1, kPrefixBytesMax, &log->topic_prefix);
  if (table.Has("topic_prefix") && !IsTopicName(log->topic_prefix)) {
    table.Refuse("topic_prefix", Quote(log->topic_prefix), "letters, digits, '.', '_' and '-'");
  }
  table.Integer("replication", 1, 100, &log->replication);
  table.Bool("events_in", &log->events_in);
  table.Text("password_file", 1, kPropertyBytesMax, &log->password_file);
  table.Text("key_password_file", 1, kPropertyBytesMax, &log->key_password_file);
  ReadClient(table.Table("client"), log, draft->problems);
  if (kafka) table.Require("brokers", "a list of strings \"host:port\"");
  table.RefuseUnknown("[log]");
}

}  // namespace bowerbird::config
