#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <atomic>
#include <cstdint>
#include <optional>

#include "server/http.h"
#include "server/metrics.h"

namespace bowerbird::server {

/// Bodies of events, items and users that were taken and are not answered yet: what the log has not made durable. A
/// body that does not fit any more is refused with 429 and Retry-After before anything of it is kept, so that a client
/// sees the pressure and nothing is lost in silence. The log's own queue counts, too: records are larger than bodies,
/// and whoever appends to a full one waits.
///
/// Threads  any.
/// Bounds   `bytes_max` over all requests; one body is always taken when nothing is in flight.
class InFlight {
 public:
  InFlight(uint64_t bytes_max, Metrics* metrics);

  /// `respond`, which gives the bytes back when it is called; null when they do not fit, after `respond` was called
  /// with the refusal.
  Responder Take(uint64_t bytes, bool log_crowded, const Responder& respond);
  /// The same for whoever has no Responder: what Take would refuse with, or null, and Give when they are done with.
  std::optional<HttpResponse> TryTake(uint64_t bytes, bool log_crowded);
  void Give(uint64_t bytes);
  uint64_t bytes() const { return bytes_; }
  void SetBytesMax(uint64_t bytes_max) { bytes_max_ = bytes_max; }

 private:
  std::atomic<uint64_t> bytes_max_;
  std::atomic<uint64_t> bytes_ = 0;
  prometheus::Gauge* const gauge_;
  prometheus::Counter* const refused_;
};

}  // namespace bowerbird::server
