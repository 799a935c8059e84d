#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/string_map.h"
#include "bowerbird/v1/experiment.pb.h"
#include "log/event_log.h"

namespace bowerbird::experiment::live {

/// All experiments, by id: the last record of each in topic `experiments`, of which there is one partition.
///
/// Threads  any.
/// Errors   Unavailable: the log cannot read or write. A record that cannot be read is left out, and told.
class Definitions {
 public:
  /// `log` outlives it.
  Definitions(log::EventLog* log, std::function<void(const std::string&)> on_warning)
      : log_(log), on_warning_(std::move(on_warning)) {}

  /// Takes in what has been appended, also by other nodes. True: there was something.
  absl::StatusOr<bool> Follow();
  std::vector<v1::Experiment> All() const;  ///< by id
  std::optional<v1::Experiment> Find(std::string_view id) const;
  /// Durable, and taken in, when it returns.
  absl::Status Write(const v1::Experiment& experiment);
  absl::Status Remove(const std::string& id);

 private:
  log::EventLog* const log_;
  const std::function<void(const std::string&)> on_warning_;
  absl::Mutex following_;
  mutable absl::Mutex mutex_;
  base::StringMap<v1::Experiment> by_id_ ABSL_GUARDED_BY(mutex_);
  log::Offset next_ ABSL_GUARDED_BY(following_) = 0;
};

}  // namespace bowerbird::experiment::live
