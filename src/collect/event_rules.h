#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "bowerbird/v1/event.pb.h"
#include "catalog/problem.h"
#include "config/config.h"

namespace bowerbird::collect {

/// What the config asks of an event, however it was read.
///
/// Threads  immutable.
class EventRules {
 public:
  explicit EventRules(std::shared_ptr<const config::Config> config) : config_(std::move(config)) {}

  /// Gives attributes their declared types, and checks the fields that clients send. The first problem found; its field
  /// is a field of the event.
  std::optional<catalog::Problem> Check(v1::Event* event) const;

  /// Decides the event's time: the receive time when it has none or, unless future ones are rejected, when it lies too
  /// far ahead; marks it late where the config accepts late ones. `history`: old events are not late.
  std::optional<catalog::Problem> SettleTime(v1::Event* event, bool has_time, int64_t receive_time_us,
                                             bool history) const;

 private:
  std::optional<catalog::Problem> CheckType(const v1::Event& event, const config::EventType& type) const;
  std::optional<catalog::Problem> CheckAttributes(v1::Event* event, const config::EventType& type) const;

  const std::shared_ptr<const config::Config> config_;
};

}  // namespace bowerbird::collect
