#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/event_log.h"

namespace bowerbird::log {

/// A record that another producer wrote to us.
struct InboxRecord {
  uint32_t partition = 0;
  Offset offset = 0;
  int64_t time_us = 0;  ///< the producer's or the broker's; 0: unknown
  std::string key, value;
  std::string content_type;  ///< of the record's header of this name; may be empty
};

/// Records that wait to be taken in, each until it is said to be done with: again after a restart otherwise.
///
/// Threads  one at a time.
class Inbox {
 public:
  virtual ~Inbox() = default;
  /// The next records, at most `records_max` and about `bytes_max` bytes; none when none came within `timeout_us`.
  virtual absl::StatusOr<std::vector<InboxRecord>> Take(size_t records_max, size_t bytes_max, int64_t timeout_us) = 0;
  /// How many records wait in what this process reads: those that Take has returned and that are not done with, and
  /// those behind them, as far as is known without asking. 0 while it is not known yet.
  virtual uint64_t Lag() = 0;
  /// All that Take has returned is done with. An error: some of it may come again.
  virtual absl::Status Commit() = 0;
};

}  // namespace bowerbird::log
