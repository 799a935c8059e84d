#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

/// librdkafka as this module uses it: owned handles, statuses, one place where clients are configured.
namespace bowerbird::log {

struct KafkaDelete {
  void operator()(rd_kafka_t* client) const {
    // Consumers here belong to no group but the inbox's, which leaves it by itself.
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  void operator()(rd_kafka_AdminOptions_t* options) const { rd_kafka_AdminOptions_destroy(options); }
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
  void operator()(const rd_kafka_metadata_t* metadata) const { rd_kafka_metadata_destroy(metadata); }
};
template <typename T>
using KafkaPtr = std::unique_ptr<T, KafkaDelete>;

/// What every client of one cluster has in common.
struct KafkaClientOptions {
  std::vector<std::string> brokers;  ///< "host:port"; one that answers is enough
  /// librdkafka's own properties, such as security.protocol; they go before ours.
  std::vector<std::pair<std::string, std::string>> properties;
};

/// A client's configuration on its way into a client.
///
/// Errors  InvalidArgument: librdkafka does not know the property, or refuses its value; the message names both.
class KafkaConf {
 public:
  static absl::StatusOr<KafkaConf> Make(const KafkaClientOptions& options);
  KafkaConf(KafkaConf&& other) noexcept : conf_(std::exchange(other.conf_, nullptr)) {}
  KafkaConf(const KafkaConf&) = delete;
  KafkaConf& operator=(const KafkaConf&) = delete;
  KafkaConf& operator=(KafkaConf&&) = delete;
  ~KafkaConf();

  absl::Status Set(const std::string& name, const std::string& value);
  rd_kafka_conf_t* get() { return conf_; }
  absl::StatusOr<KafkaPtr<rd_kafka_t>> NewClient(rd_kafka_type_t type) &&;

 private:
  explicit KafkaConf(rd_kafka_conf_t* conf) : conf_(conf) {}
  rd_kafka_conf_t* conf_;
};

/// `what`: who asked for what. The codes: InvalidArgument and FailedPrecondition where the cluster refuses for good,
/// PermissionDenied, OutOfRange, DataLoss for a checksum, else Unavailable.
absl::Status KafkaStatus(rd_kafka_resp_err_t error, std::string_view what, std::string_view detail = {});

/// Runs one admin call, which sends its result to the queue it is given, and waits for the result. Unavailable: there
/// was none in `timeout_ms`.
template <typename Call>
absl::StatusOr<KafkaPtr<rd_kafka_event_t>> KafkaAdmin(rd_kafka_t* client, rd_kafka_admin_op_t operation, int timeout_ms,
                                                      std::string_view what, const Call& call) {
  const KafkaPtr<rd_kafka_queue_t> queue(rd_kafka_queue_new(client));
  const KafkaPtr<rd_kafka_AdminOptions_t> options(rd_kafka_AdminOptions_new(client, operation));
  char text[256] = "";
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, text, sizeof(text));
  call(options.get(), queue.get());
  KafkaPtr<rd_kafka_event_t> event(rd_kafka_queue_poll(queue.get(), timeout_ms + 1'000));
  if (event == nullptr) return KafkaStatus(RD_KAFKA_RESP_ERR__TIMED_OUT, what);
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return KafkaStatus(rd_kafka_event_error(event.get()), what, rd_kafka_event_error_string(event.get()));
  }
  return event;
}

}  // namespace bowerbird::log
