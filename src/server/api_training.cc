#include <fmt/format.h>
#include <simdjson.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/rows_job.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "catalog/problem.h"
#include "server/api_routes.h"
#include "server/structured_log.h"

namespace bowerbird::server {
namespace {

namespace dom = simdjson::dom;

/// The members of a body that are allowed, each where it goes.
struct Fields {
  std::vector<std::pair<std::string_view, std::string*>> texts;
  std::vector<std::pair<std::string_view, double*>> numbers;
  std::vector<std::pair<std::string_view, bool*>> flags;
  const char* expected;
};

absl::Status Read(const std::string& body, const Fields& fields) {
  if (body.empty()) return absl::OkStatus();
  dom::parser parser;
  dom::object object;
  if (parser.parse(body).get(object) != simdjson::SUCCESS)
    return catalog::ToStatus({"malformed_json", "", fmt::format("expected an object with {}", fields.expected)});
  const auto wrong = [](std::string_view field, const char* type) {
    return catalog::ToStatus({"wrong_type", std::string(field), fmt::format("expected {}", type)});
  };
  for (const auto member : object) {
    bool known = false;
    for (const auto& [name, out] : fields.texts) {
      if (name != member.key) continue;
      known = true;
      std::string_view text;
      if (member.value.get(text) != simdjson::SUCCESS) return wrong(name, "a string");
      *out = text;
    }
    for (const auto& [name, out] : fields.numbers) {
      if (name != member.key) continue;
      known = true;
      if (member.value.get(*out) != simdjson::SUCCESS) return wrong(name, "a number");
    }
    for (const auto& [name, out] : fields.flags) {
      if (name != member.key) continue;
      known = true;
      if (member.value.get(*out) != simdjson::SUCCESS) return wrong(name, "true or false");
    }
    if (!known)
      return catalog::ToStatus({"unknown_field", std::string(member.key), fmt::format("expected {}", fields.expected)});
  }
  return absl::OkStatus();
}

absl::Status ReadDay(std::string_view field, const std::string& text, int64_t* day_us) {
  constexpr int64_t kDayUs = 86'400'000'000;
  if (text.empty()) return absl::OkStatus();
  const auto time_us = base::ParseTimeUs(text);
  if (text.size() != 10 || !time_us.ok() || *time_us % kDayUs != 0)
    return catalog::ToStatus(
        {"invalid_argument", std::string(field), fmt::format("found '{}'; expected a day such as 2026-11-27", text)});
  *day_us = *time_us;
  return absl::OkStatus();
}

absl::StatusOr<app::RowsOptions> ParseRows(const std::string& body) {
  app::RowsOptions options;
  std::string from, to, correction;
  double negatives = 0;
  RETURN_IF_ERROR(Read(body, {{{"from", &from}, {"to", &to}, {"correction", &correction}},
                              {{"negatives", &negatives}},
                              {},
                              "from, to, negatives, correction"}));
  RETURN_IF_ERROR(ReadDay("from", from, &options.from_us));
  RETURN_IF_ERROR(ReadDay("to", to, &options.to_us));
  if (negatives != 0) options.negatives = negatives;
  if (correction == "weights") {
    options.correction = rows::Correction::kWeights;
  } else if (correction == "offset") {
    options.correction = rows::Correction::kOffset;
  } else if (!correction.empty() && correction != "none") {
    return catalog::ToStatus(
        {"invalid_argument", "correction", fmt::format("found '{}'; expected none, weights or offset", correction)});
  }
  return options;
}

absl::StatusOr<app::RankerOptions> ParseRanker(const std::string& body) {
  app::RankerOptions options;
  std::string from, to;
  RETURN_IF_ERROR(Read(body, {{{"surface", &options.surface}, {"from", &from}, {"to", &to}},
                              {},
                              {{"promote", &options.promote}},
                              "surface, from, to, promote"}));
  RETURN_IF_ERROR(ReadDay("from", from, &options.from_us));
  RETURN_IF_ERROR(ReadDay("to", to, &options.to_us));
  return options;
}

HttpResponse RowsResponse(app::App& app, const app::RowsOptions& options) {
  const absl::StatusOr<app::RowsReport> report = app::BuildRows(app, options);
  if (!report.ok()) return ProblemResponse(report.status());
  Log(LogLevel::kInfo, "rows_built", {{"seconds", report->seconds}});
  HttpResponse response;
  response.body = report->ToJson();
  return response;
}

HttpResponse ReportResponse(app::App& app) {
  const auto sets = app::ReportRows(app);
  if (!sets.ok()) return ProblemResponse(sets.status());
  HttpResponse response;
  response.body = app::ReportJson(*sets);
  return response;
}

HttpResponse RankerResponse(app::App& app, const app::RankerOptions& options) {
  const absl::StatusOr<app::JobResult> result = app::TrainRanker(app, options);
  if (!result.ok()) return ProblemResponse(result.status());
  Log(LogLevel::kInfo, "job_done",
      {{"artifact", std::string_view(result->artifact)},
       {"version", std::string_view(result->version)},
       {"seconds", result->seconds}});
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("artifact").String(result->artifact).Key("version").String(result->version);
  json.Key("seconds").Double(result->seconds).Key("metrics").BeginObject();
  for (const auto& [name, value] : result->metrics) json.Key(name).Double(value);
  json.EndObject().EndObject();
  return response;
}

HttpResponse PromoteResponse(app::App& app, const std::string& surface, const std::string& version) {
  if (app.config()->FindSurface(surface) == nullptr)
    return ProblemResponse(404, "not_found", fmt::format("surface: found '{}'; expected one of the config", surface));
  const absl::Status promoted = app.rankers().Promote(surface, version);
  if (!promoted.ok()) return ProblemResponse(promoted);
  HttpResponse response;
  base::JsonWriter(&response.body)
      .BeginObject()
      .Key("surface")
      .String(surface)
      .Key("version")
      .String(version)
      .EndObject();
  return response;
}

}  // namespace

void AddTrainingRoutes(Api* api) {
  api->AddRoute(
      {"POST", "/v1/jobs/rows", "admin", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         const absl::StatusOr<app::RowsOptions> options = ParseRows(request->body);
         if (!options.ok()) return respond(ProblemResponse(options.status()));
         app::App* app = &request->app->app();
         QueueJob(&request->app->jobs(), respond, [app, options = *options] { return RowsResponse(*app, options); });
       }});
  api->AddRoute({"GET", "/v1/rows", "admin", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   app::App* app = &request->app->app();
                   QueueJob(&request->app->queries(), respond, [app] { return ReportResponse(*app); });
                 }});
  api->AddRoute({"POST", "/v1/jobs/train-ranker", "admin",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   const absl::StatusOr<app::RankerOptions> options = ParseRanker(request->body);
                   if (!options.ok()) return respond(ProblemResponse(options.status()));
                   app::App* app = &request->app->app();
                   QueueJob(&request->app->jobs(), respond,
                            [app, options = *options] { return RankerResponse(*app, options); });
                 }});
  api->AddRoute({"POST", "/v1/rankers:promote", "admin",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   std::string surface, version;
                   const absl::Status read = Read(
                       request->body, {{{"surface", &surface}, {"version", &version}}, {}, {}, "surface, version"});
                   if (!read.ok()) return respond(ProblemResponse(read));
                   app::App* app = &request->app->app();
                   request->audit_detail = fmt::format("{} {}", surface, version.empty() ? "none" : version);
                   QueueJob(&request->app->jobs(), respond,
                            [app, surface, version] { return PromoteResponse(*app, surface, version); });
                 }});
}

}  // namespace bowerbird::server
