#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "app/app.h"
#include "bowerbird/v1/service.pb.h"

namespace bowerbird::app {

/// Users, and items, whose signals are read for a report; with more there are, its numbers are estimates.
inline constexpr uint64_t kReportedMax = 20'000;

/// The declared signals, and what is held of each: who has a value, what it costs, how fresh it is.
absl::StatusOr<v1::ListSignalsResponse> ReportSignals(App& app, uint64_t count_max = kReportedMax);

}  // namespace bowerbird::app
