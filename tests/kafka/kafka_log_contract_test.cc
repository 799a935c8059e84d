#include "contract/event_log_contract.h"
#include "kafka/broker.h"
#include "log/kafka_log.h"

namespace bowerbird::log {
namespace {

class KafkaContractLog final : public ContractLog {
 public:
  absl::StatusOr<std::unique_ptr<EventLog>> Open(const base::Clock* clock) override {
    KafkaLogOptions options;
    options.client.brokers = {kafka_test::Brokers::One().addresses()};
    options.topic_prefix = prefix_;
    options.topics.user_partitions = 3;
    options.answer_timeout_us = 60'000'000;  // a loaded machine
    options.clock = clock;
    return KafkaLog::Open(options);
  }

 private:
  const std::string prefix_ = kafka_test::FreshPrefix();
};

INSTANTIATE_TEST_SUITE_P(KafkaLog, EventLogContract,
                         testing::Values(ContractSubject{"one_broker",
                                                         [] { return std::make_unique<KafkaContractLog>(); }, 1000}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bowerbird::log
