#include "server/in_flight.h"

#include <fmt/format.h>

#include <utility>

namespace bowerbird::server {

InFlight::InFlight(uint64_t bytes_max, Metrics* metrics)
    : bytes_max_(bytes_max),
      gauge_(&metrics->Gauge("bowerbird_collect_in_flight_bytes",
                             "Bodies of events, items and users taken and not yet durable.")),
      refused_(&metrics->Counter(
          "bowerbird_collect_refused_total",
          "Requests with events, items or users that were answered by 429, because the log could not keep up.")) {}

std::optional<HttpResponse> InFlight::TryTake(uint64_t bytes, bool log_crowded) {
  const uint64_t bytes_max = bytes_max_;
  uint64_t before = bytes_.load();
  do {
    if (before > 0 && (log_crowded || before + bytes > bytes_max)) {
      refused_->Increment();
      HttpResponse problem = ProblemResponse(
          429, "intake_full",
          log_crowded ? "the log cannot keep up: send this again after a second"
                      : fmt::format("{} bytes wait for the log; expected at most {}: send this again after a "
                                    "second",
                                    before + bytes, bytes_max));
      problem.headers.emplace_back("Retry-After", "1");
      return problem;
    }
  } while (!bytes_.compare_exchange_weak(before, before + bytes));
  gauge_->Increment(static_cast<double>(bytes));
  return std::nullopt;
}

void InFlight::Give(uint64_t bytes) {
  bytes_ -= bytes;
  gauge_->Decrement(static_cast<double>(bytes));
}

Responder InFlight::Take(uint64_t bytes, bool log_crowded, const Responder& respond) {
  if (auto problem = TryTake(bytes, log_crowded)) {
    respond(*std::move(problem));
    return nullptr;
  }
  return [this, bytes, respond](HttpResponse response) {
    Give(bytes);
    respond(std::move(response));
  };
}

}  // namespace bowerbird::server
