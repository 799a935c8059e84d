#include "server/overload.h"

#include <algorithm>

namespace bowerbird::server {
namespace {

using serve::Effort;

constexpr int64_t kAdjustEveryUs = 50'000;
/// Steps at most by which pressure changes each time: up quickly, down slowly, so that it does not swing.
constexpr double kRiseMax = 0.5, kFall = 0.05;
constexpr double kPressureMax = 4;
/// Fewer requests than this between two adjustments are no overload, however long they waited.
constexpr uint32_t kAskedMin = 10;

Effort EffortAt(int step) {
  switch (step) {
    case 0:
      return Effort::kFull;
    case 1:
      return Effort::kFewer;
    case 2:
      return Effort::kFewerOrPopular;
    default:
      return Effort::kPopular;
  }
}

prometheus::Counter& Degraded(Metrics* metrics, const char* step) {
  return metrics->Counter("bowerbird_serve_overload_total",
                          "Answers made with less effort, and requests refused, by what was done.", {{"step", step}});
}

}  // namespace

std::optional<Priority> ParsePriority(std::string_view text) {
  if (text.empty() || text == "normal") return Priority::kNormal;
  if (text == "low") return Priority::kLow;
  if (text == "high") return Priority::kHigh;
  return std::nullopt;
}

Overload::Overload(Metrics* metrics)
    : pressure_gauge_(&metrics->Gauge("bowerbird_serve_overload_pressure",
                                      "How far answers are degraded: 0 not at all, 4 requests are refused.")),
      fewer_(&Degraded(metrics, "fewer_generators")),
      popular_(&Degraded(metrics, "popular")),
      overloaded_(&Degraded(metrics, "refused_overloaded")),
      too_late_(&Degraded(metrics, "refused_too_late")) {}

void Overload::Adjust(int64_t waited_us, int64_t now_us) {
  int64_t least = least_waited_us_;
  while (waited_us < least && !least_waited_us_.compare_exchange_weak(least, waited_us)) {
  }
  ++asked_;
  int64_t due = next_adjustment_us_;
  if (now_us < due || !next_adjustment_us_.compare_exchange_strong(due, now_us + kAdjustEveryUs)) return;
  least = least_waited_us_.exchange(INT64_MAX);
  const uint32_t asked = asked_.exchange(0);
  double pressure = pressure_;
  if (least > kTargetUs && asked >= kAskedMin) {
    pressure += std::min(kRiseMax, 0.1 * static_cast<double>(least) / kTargetUs);
  } else if (least < kTargetUs / 2 || asked < kAskedMin) {
    // After a quiet time the due adjustments are made up.
    const int64_t missed = due == 0 ? 0 : (now_us - due) / kAdjustEveryUs;
    pressure -= kFall * static_cast<double>(1 + missed);
  }
  pressure_ = std::clamp(pressure, 0.0, kPressureMax);
  pressure_gauge_->Set(pressure_);
}

Overload::Decision Overload::Decide(const Request& request, int64_t now_us, double draw) {
  Adjust(request.waited_us, now_us);
  Decision decision;
  const int64_t left_us = request.timeout_us - request.waited_us;
  if (request.timeout_us > 0 && left_us <= 0) {
    decision.refusal = Refusal::kTooLate;
    too_late_->Increment();
    return decision;
  }
  double steps = pressure_;
  if (steps > 0) {
    if (request.priority == Priority::kLow) steps += 1;
    if (request.priority == Priority::kHigh) steps -= 1;
  }
  // The fraction is the share of requests that are a step further.
  const int step = static_cast<int>(std::max(0.0, steps) + draw);
  if (step >= 4) {
    decision.refusal = Refusal::kOverloaded;
    overloaded_->Increment();
    return decision;
  }
  decision.effort = EffortAt(step);
  if (request.timeout_us > 0 && left_us < 2 * full_us_) {
    decision.effort = std::max(decision.effort, left_us < full_us_ ? Effort::kPopular : Effort::kFewer);
  }
  return decision;
}

void Overload::Answered(Effort effort, int64_t took_us) {
  switch (effort) {
    case Effort::kFull: {
      const int64_t before = full_us_;
      full_us_ = before == 0 ? took_us : before + (took_us - before) / 16;
      return;
    }
    case Effort::kFewer:
      return fewer_->Increment();
    case Effort::kFewerOrPopular:
    case Effort::kPopular:
    case Effort::kOwnerAway:
      return popular_->Increment();
  }
}

}  // namespace bowerbird::server
