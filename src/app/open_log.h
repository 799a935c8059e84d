#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "config/config.h"
#include "log/inbox.h"
#include "log/managed_log.h"

namespace bowerbird::app {

/// The log that the config asks for: embedded in `folder`, or in a Kafka cluster.
/// Errors  those of RocksLog::Open and KafkaLog::Open. InvalidArgument: a password file cannot be read.
absl::StatusOr<std::unique_ptr<log::ManagedLog>> OpenLog(const config::Config& config, const std::string& folder,
                                                         const base::Clock* clock);
/// What other producers write to, for the process that has the app's `folder`; null where the config has none.
absl::StatusOr<std::unique_ptr<log::Inbox>> OpenInbox(const config::Config& config, const std::string& folder);

std::map<log::Topic, int64_t> Retention(const config::Config& config);

}  // namespace bowerbird::app
