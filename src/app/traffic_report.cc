#include "app/traffic_report.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "catalog/problem.h"
#include "lake/batch_job.h"
#include "lake/sql.h"

namespace bowerbird::app {
namespace {

namespace dom = simdjson::dom;

constexpr int64_t kDayUs = 86'400'000'000;

lake::SqlLimits LimitsOf(const config::Lake& settings) {
  lake::SqlLimits limits;
  limits.seconds = static_cast<double>(settings.sql_us_max) * 1e-6;
  limits.memory_bytes = settings.sql_memory_bytes;
  limits.threads = settings.sql_threads;
  return limits;
}

/// Rows of the job daily_traffic: day, reason, events, users, share.
absl::Status ReadDay(const std::string& body, v1::TrafficDay* day) {
  dom::parser parser;
  dom::element root;
  dom::array rows;
  if (parser.parse(body).get(root) || root["rows"].get(rows))
    return absl::InternalError("traffic: the query's answer is not what was asked for");
  for (const dom::element row : rows) {
    v1::TrafficShare* share = day->add_reasons();
    std::string_view reason;
    uint64_t events = 0, users = 0;
    double part = 0;
    if (row.at(1).get(reason) || row.at(2).get(events) || row.at(3).get(users) || row.at(4).get(part))
      return absl::InternalError("traffic: a row of the query's answer is not what was asked for");
    share->set_reason(std::string(reason));
    share->set_events(events);
    share->set_users(users);
    share->set_share(part);
    if (reason != "none") day->set_marked_share(day->marked_share() + part);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::TrafficResponse> ReportTraffic(App& app, uint32_t days) {
  if (days == 0 || days > kTrafficDaysMax) {
    return catalog::ToStatus(
        {"out_of_range", "days", fmt::format("found {}; expected 1 to {}", days, kTrafficDaysMax)});
  }
  const int64_t start_us = base::MonotonicUs();
  RETURN_IF_ERROR(app.lake().CatchUp().status());
  ASSIGN_OR_RETURN(const std::vector<lake::TableFiles> files, app.lake().Files());
  const int64_t now_us = app.clock().NowUs();
  v1::TrafficResponse response;
  for (uint32_t back = 0; back < days; ++back) {
    RETURN_IF_ERROR(app.JobsCancelled());
    v1::TrafficDay day;
    day.set_day(base::FormatTimeUs(now_us - back * kDayUs).substr(0, 10));
    lake::SqlQuery query;
    query.limits = LimitsOf(app.config()->lake);
    ASSIGN_OR_RETURN(query.sql, lake::JobSql("daily_traffic", day.day(), lake::Engine::kDuckDb));
    ASSIGN_OR_RETURN(const lake::SqlAnswer answer, lake::RunSql(files, query));
    RETURN_IF_ERROR(ReadDay(answer.body, &day));
    if (!day.reasons().empty()) *response.add_days() = std::move(day);
  }
  response.set_seconds(static_cast<double>(base::MonotonicUs() - start_us) * 1e-6);
  return response;
}

}  // namespace bowerbird::app
