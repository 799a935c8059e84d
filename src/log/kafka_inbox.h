#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/inbox.h"
#include "log/kafka_client.h"

namespace bowerbird::log {

/// Topic PREFIXevents_in. The processes of one app share its partitions as a consumer group, PREFIXcollect, and each
/// record is done with when its offset is committed to the group.
///
/// Errors   Unavailable: the brokers do not answer; it goes on by itself when they do.
class KafkaInbox final : public Inbox {
 public:
  /// `member` names this process among those of the app, and is the same after a restart: who comes back by its name
  /// goes on with its partitions at once, however it ended. Another process takes them over 10 seconds after the end.
  static absl::StatusOr<std::unique_ptr<KafkaInbox>> Open(const KafkaClientOptions& options,
                                                          const std::string& topic_prefix, const std::string& member);
  ~KafkaInbox() override;

  absl::StatusOr<std::vector<InboxRecord>> Take(size_t records_max, size_t bytes_max, int64_t timeout_us) override;
  /// Asks the group once, for at most a second, where it begins in a partition that is new to this process.
  uint64_t Lag() override;
  absl::Status Commit() override;

 private:
  KafkaInbox(KafkaPtr<rd_kafka_t> client, std::string topic) : client_(std::move(client)), topic_(std::move(topic)) {}

  KafkaPtr<rd_kafka_t> client_;
  const std::string topic_;
  std::map<uint32_t, Offset> taken_;  ///< by partition: one past what Take has returned since the last Commit
  std::map<uint32_t, Offset> done_;   ///< by partition that is ours: one past what is done with, as far as is known
};

}  // namespace bowerbird::log
