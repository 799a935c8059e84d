#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "bowerbird/v1/event.pb.h"
#include "collect/event_json.h"
#include "config/config.h"

namespace bowerbird::collect {

/// Reads bodies of events in protobuf: a v1::CollectRequest as bytes. What it takes it reads as protobuf's own parser
/// would; what that would keep as unknown, or take although intake stamps it, is a problem of the event, as in JSON.
///
/// Threads  one at a time.
/// Cost     collector_bench. The event handed to `visit` keeps its memory from event to event: nothing is allocated
/// once it has seen the largest of each field.
class EventProtobufReader {
 public:
  /// As in JSON; `index` counts from 0, and an event has a time when event_time_us is not 0.
  using Visit = EventJsonReader::Visit;

  explicit EventProtobufReader(std::shared_ptr<const config::Config> config) : config_(std::move(config)) {}

  /// InvalidArgument: the whole body is refused (catalog::FromStatus), after `visit` may have seen some of its events.
  absl::Status Read(std::string_view body, const Visit& visit);

 private:
  const std::shared_ptr<const config::Config> config_;
  v1::Event event_;
};

}  // namespace bowerbird::collect
