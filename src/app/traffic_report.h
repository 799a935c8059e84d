#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "app/app.h"
#include "bowerbird/v1/traffic.pb.h"

namespace bowerbird::app {

inline constexpr uint32_t kTrafficDaysDefault = 7, kTrafficDaysMax = 31;

/// Which share of each of the last `days` days' events is marked traffic, and why: what the job daily_traffic counts,
/// now. Cost: brings the lake up to the log's end, and a query a day. InvalidArgument: no such number of days; those of
/// lake::RunSql.
absl::StatusOr<v1::TrafficResponse> ReportTraffic(App& app, uint32_t days);

}  // namespace bowerbird::app
