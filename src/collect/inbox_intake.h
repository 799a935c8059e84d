#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "collect/collector.h"
#include "log/event_log.h"
#include "log/inbox.h"

namespace bowerbird::collect {

/// Takes in what other producers have written to us: one event or a batch of them a record, in JSON or protobuf, as
/// POST /v1/events takes it. A record is done with when all that it holds is durable, so that it is collected at least
/// once; events that come again have the client id that they had, and the fold drops them.
///
/// A record with something that cannot be taken goes to dead_letters with the reason; what else it holds is collected.
///
/// Threads  one of its own, between Start and Stop.
/// Bounds   kRecordsAtOnce records and about kBytesAtOnce bytes under way.
/// Errors   a log that cannot write, or an inbox that does not answer, is tried again until Stop.
class InboxIntake {
 public:
  static constexpr size_t kRecordsAtOnce = 1000;
  static constexpr size_t kBytesAtOnce = 8u << 20;
  /// The collector in force now.
  using CollectorOf = std::function<Collector&()>;

  /// `topic` names the inbox in client ids and dead letters. `log` takes the dead letters, and outlives the intake.
  InboxIntake(std::unique_ptr<log::Inbox> inbox, std::string topic, CollectorOf collector, log::EventLog* log);
  ~InboxIntake() { Stop(); }

  void Start();
  /// What is under way is finished, or left for the next start when the log cannot write.
  void Stop();
  /// One turn, as the thread takes it: the records that came within `timeout_us`. How many.
  absl::StatusOr<size_t> TakeOnce(int64_t timeout_us);

  struct Counters {
    uint64_t records = 0, accepted = 0, rejected = 0, dead_letters = 0, failures = 0;
    uint64_t lag = 0;  ///< records that wait, as of the last turn
  };
  Counters counters() const {
    return {records_.load(), accepted_.load(), rejected_.load(), dead_letters_.load(), failures_.load(), lag_.load()};
  }

 private:
  /// Collects records[i] for each i of `indexes`; answers[i] says what became of it.
  void CollectAll(const std::vector<log::InboxRecord>& records, const std::vector<size_t>& indexes,
                  std::vector<absl::StatusOr<CollectResult>>* answers);
  log::AppendRecord DeadLetter(const log::InboxRecord& record, std::string reason) const;
  absl::Status KeepRefused(const std::vector<log::InboxRecord>& records,
                           const std::vector<absl::StatusOr<CollectResult>>& answers);

  const std::unique_ptr<log::Inbox> inbox_;
  const std::string topic_;
  const CollectorOf collector_;
  log::EventLog* const log_;
  std::atomic<uint64_t> records_ = 0, accepted_ = 0, rejected_ = 0, dead_letters_ = 0, failures_ = 0, lag_ = 0;
  absl::Notification stop_;
  std::thread thread_;
};

/// Whether a body is protobuf: by its content type when that says so, else because it does not begin as JSON does.
bool IsProtobufBody(std::string_view body, std::string_view content_type);

}  // namespace bowerbird::collect
