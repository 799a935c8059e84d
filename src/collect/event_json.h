#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "bowerbird/v1/event.pb.h"
#include "catalog/problem.h"
#include "config/config.h"

namespace bowerbird::collect {

/// Reads bodies of events into v1::Event: {"events": [...]}, a bare array, or one event. docs/formats/event-json.md.
///
/// Threads  one at a time.
/// Cost     collector_bench. The event handed to `visit` and the parser's buffers are used again and again.
class EventJsonReader {
 public:
  /// One event, in the order sent; `index` is -1 for a body that is one event. `problem` is null for an event that
  /// could be read; it still has to pass EventRules. `has_time`: the event names its time, be it 0. `event` may be
  /// changed, and is valid until the return.
  using Visit = std::function<void(int64_t index, v1::Event* event, bool has_time, const catalog::Problem* problem)>;

  explicit EventJsonReader(std::shared_ptr<const config::Config> config);
  ~EventJsonReader();

  /// InvalidArgument: the whole body is refused (catalog::FromStatus), after `visit` may have seen some of its events.
  absl::Status Read(std::string_view body, const Visit& visit);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bowerbird::collect
