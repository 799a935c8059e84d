#include "log/kafka_client.h"

#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::log {
namespace {

// What the library has to say comes to whoever asked, as a status; its own lines on standard error would stand between
// those of the server's structured log.
void SayNothing(const rd_kafka_t* /*client*/, int /*level*/, const char* /*facility*/, const char* /*line*/) {}

}  // namespace

absl::StatusOr<KafkaConf> KafkaConf::Make(const KafkaClientOptions& options) {
  KafkaConf conf(rd_kafka_conf_new());
  rd_kafka_conf_set_log_cb(conf.conf_, &SayNothing);
  RETURN_IF_ERROR(conf.Set("client.id", "bowerbird"));
  for (const auto& [name, value] : options.properties) RETURN_IF_ERROR(conf.Set(name, value));
  RETURN_IF_ERROR(conf.Set("bootstrap.servers", fmt::format("{}", fmt::join(options.brokers, ","))));
  // A broker that comes back is used again within about a second.
  RETURN_IF_ERROR(conf.Set("reconnect.backoff.max.ms", "1000"));
  RETURN_IF_ERROR(conf.Set("socket.timeout.ms", "6000"));
  RETURN_IF_ERROR(conf.Set("topic.metadata.refresh.interval.ms", "30000"));
  // One value of kValueBytesMax with its key and frame.
  RETURN_IF_ERROR(conf.Set("message.max.bytes", "5242880"));
  return conf;
}

KafkaConf::~KafkaConf() {
  if (conf_ != nullptr) rd_kafka_conf_destroy(conf_);
}

absl::Status KafkaConf::Set(const std::string& name, const std::string& value) {
  char text[512] = "";
  if (rd_kafka_conf_set(conf_, name.c_str(), value.c_str(), text, sizeof(text)) == RD_KAFKA_CONF_OK)
    return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("kafka property {}: {}", name, text));
}

absl::StatusOr<KafkaPtr<rd_kafka_t>> KafkaConf::NewClient(rd_kafka_type_t type) && {
  char text[512] = "";
  rd_kafka_t* client = rd_kafka_new(type, conf_, text, sizeof(text));
  if (client == nullptr) return absl::InvalidArgumentError(fmt::format("kafka client: {}", text));
  conf_ = nullptr;  // the client's now
  return KafkaPtr<rd_kafka_t>(client);
}

absl::Status KafkaStatus(rd_kafka_resp_err_t error, std::string_view what, std::string_view detail) {
  const std::string text =
      fmt::format("{}: {}", what, detail.empty() ? std::string_view(rd_kafka_err2str(error)) : detail);
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return absl::OkStatus();
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      return absl::InvalidArgumentError(text);
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return absl::FailedPreconditionError(text);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      return absl::PermissionDeniedError(text);
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return absl::OutOfRangeError(text);
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
      return absl::DataLossError(text);
    default:
      return absl::UnavailableError(text);
  }
}

}  // namespace bowerbird::log
