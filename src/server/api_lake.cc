#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "catalog/problem.h"
#include "lake/batch_job.h"
#include "lake/sql.h"
#include "server/api_routes.h"
#include "server/lake_query.h"
#include "server/structured_log.h"

namespace bowerbird::server {
namespace {

namespace dom = simdjson::dom;

constexpr int64_t kJobUsMax = 3'600'000'000;

/// A limit is no reason to try again, as 429 would say.
HttpResponse LakeProblem(const absl::Status& status) {
  const std::string message(status.message());
  if (absl::IsResourceExhausted(status)) return ProblemResponse(400, "limit_exceeded", message);
  if (absl::IsDeadlineExceeded(status)) return ProblemResponse(504, "deadline_exceeded", message);
  if (absl::IsCancelled(status)) return ProblemResponse(503, "cancelled", message);
  return ProblemResponse(status);
}

absl::Status UnknownField(std::string_view field, const char* expected) {
  return catalog::ToStatus({"unknown_field", std::string(field), fmt::format("expected {}", expected)});
}

/// The strings of an object, each field by its name; a field of another name or type is refused.
absl::Status ReadTexts(const std::string& body, const std::vector<std::pair<std::string_view, std::string*>>& fields,
                       const char* expected, uint32_t* timeout_ms) {
  dom::parser parser;
  dom::object object;
  if (parser.parse(body).get(object) != simdjson::SUCCESS)
    return catalog::ToStatus({"malformed_json", "", fmt::format("expected an object with {}", expected)});
  for (const auto field : object) {
    if (timeout_ms != nullptr && field.key == "timeout_ms") {
      uint64_t number = 0;
      if (field.value.get(number) != simdjson::SUCCESS || number == 0 || number > UINT32_MAX)
        return catalog::ToStatus({"wrong_type", "timeout_ms", "expected a whole number of milliseconds above 0"});
      *timeout_ms = static_cast<uint32_t>(number);
      continue;
    }
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const auto& one) { return one.first == field.key; });
    if (found == fields.end()) return UnknownField(field.key, expected);
    std::string_view text;
    if (field.value.get(text) != simdjson::SUCCESS)
      return catalog::ToStatus({"wrong_type", std::string(field.key), "expected a string"});
    *found->second = text;
  }
  return absl::OkStatus();
}

absl::StatusOr<lake::SqlQuery> ParseSql(const HttpRequest& request, const config::Lake& settings) {
  lake::SqlQuery query;
  std::string format;
  uint32_t timeout_ms = 0;
  RETURN_IF_ERROR(
      ReadTexts(request.body, {{"sql", &query.sql}, {"format", &format}}, "sql, format, timeout_ms", &timeout_ms));
  if (query.sql.empty()) return catalog::ToStatus({"missing_field", "sql", "expected one SELECT"});
  if (!format.empty() && format != "json" && format != "csv")
    return catalog::ToStatus({"invalid_argument", "format", "expected json or csv"});
  query.form = format == "csv" ? lake::SqlForm::kCsv : lake::SqlForm::kJson;
  query.limits = LakeLimits(settings);
  if (timeout_ms > 0) query.limits.seconds = std::min(query.limits.seconds, timeout_ms * 1e-3);
  return query;
}

HttpResponse SqlResponse(app::App* app, const lake::SqlQuery& query) {
  absl::StatusOr<lake::SqlAnswer> answer = AskLake(app, query);
  if (!answer.ok()) return LakeProblem(answer.status());
  HttpResponse response;
  response.body = std::move(answer->body);
  if (query.form == lake::SqlForm::kCsv) {
    response.content_type = "text/csv; charset=utf-8";
    if (!answer->damaged.empty())
      response.headers.emplace_back("Bowerbird-Damaged-Files", fmt::format("{}", answer->damaged.size()));
    return response;
  }
  response.body.pop_back();  // the object goes on
  response.body += ',';
  std::string rest;
  base::JsonWriter json(&rest);
  json.BeginObject().Key("damaged").BeginArray();
  for (const std::string& file : answer->damaged) json.String(file);
  json.EndArray().Key("seconds").Double(answer->seconds).EndObject();
  response.body.append(rest, 1);
  return response;
}

HttpResponse StatusResponse(app::App* app) {
  const absl::StatusOr<std::vector<lake::TableStatus>> tables = app->lake().Status();
  if (!tables.ok()) return LakeProblem(tables.status());
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("folder").String(app->lake().folder()).Key("tables").BeginArray();
  for (const lake::TableStatus& table : *tables) {
    json.BeginObject().Key("name").String(table.name).Key("rows").Uint(table.rows).Key("bytes").Uint(table.bytes);
    json.Key("files").Uint(table.parts).Key("lag").Uint(table.lag).Key("missed").Uint(table.missed);
    json.Key("first_time").String(table.parts == 0 ? "" : base::FormatTimeUs(table.first_us));
    json.Key("last_time").String(table.parts == 0 ? "" : base::FormatTimeUs(table.last_us)).EndObject();
  }
  json.EndArray().EndObject();
  return response;
}

HttpResponse ProblemsResponse(const absl::StatusOr<std::vector<std::string>>& problems) {
  if (!problems.ok()) return LakeProblem(problems.status());
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("problems").BeginArray();
  for (const std::string& problem : *problems) json.String(problem);
  json.EndArray().EndObject();
  return response;
}

absl::StatusOr<std::vector<std::string>> Maintain(app::App* app) {
  RETURN_IF_ERROR(app->lake().CatchUp().status());
  const auto& retention_us = app->config()->lake.retention_us;
  return app->lake().Maintain(std::map<std::string, int64_t>(retention_us.begin(), retention_us.end()));
}

absl::StatusOr<lake::BatchJob> ParseJob(const HttpRequest& request) {
  lake::BatchJob job;
  std::string engine;
  RETURN_IF_ERROR(ReadTexts(request.body, {{"name", &job.name}, {"date", &job.day}, {"engine", &engine}},
                            "name, date, engine", nullptr));
  if (!engine.empty() && engine != "duckdb" && engine != "spark")
    return catalog::ToStatus({"invalid_argument", "engine", "expected duckdb or spark"});
  job.engine = engine == "spark" ? lake::Engine::kSpark : lake::Engine::kDuckDb;
  RETURN_IF_ERROR(lake::JobSql(job.name, job.day, job.engine).status());
  job.limits.seconds = static_cast<double>(kJobUsMax) * 1e-6;
  // Whoever runs the server chooses the program, never whoever asks it.
  if (const char* program = std::getenv("BOWERBIRD_SPARK"); program != nullptr) job.spark_program = program;
  return job;
}

HttpResponse JobResponse(app::App* app, const lake::BatchJob& job) {
  const absl::StatusOr<lake::BatchJobResult> result = lake::RunBatchJob(&app->lake(), job);
  if (!result.ok()) return LakeProblem(result.status());
  Log(LogLevel::kInfo, "batch_job_done",
      {{"table", std::string_view(result->table)}, {"date", std::string_view(job.day)}, {"seconds", result->seconds}});
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("table").String(result->table).Key("file").String(result->path);
  json.Key("rows").Uint(result->rows).Key("seconds").Double(result->seconds).EndObject();
  return response;
}

}  // namespace

void AddLakeRoutes(Api* api) {
  api->AddRoute({"POST", "/v1/sql", "admin", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   app::App* app = &request->app->app();
                   absl::StatusOr<lake::SqlQuery> query = ParseSql(*request, app->config()->lake);
                   if (!query.ok()) return respond(LakeProblem(query.status()));
                   query->cancelled = request->client_gone;
                   request->audit_detail = query->sql.substr(0, 200);
                   QueueJob(&request->app->queries(), respond,
                            [app, query = *std::move(query)] { return SqlResponse(app, query); });
                 }});
  api->AddRoute({"GET", "/v1/lake", "admin", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   app::App* app = &request->app->app();
                   QueueJob(&request->app->queries(), respond, [app] { return StatusResponse(app); });
                 }});
  api->AddRoute(
      {"POST", "/v1/lake:verify", "admin", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         app::App* app = &request->app->app();
         QueueJob(&request->app->jobs(), respond, [app] { return ProblemsResponse(app->lake().Verify()); });
       }});
  api->AddRoute(
      {"POST", "/v1/lake:maintain", "admin", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         app::App* app = &request->app->app();
         QueueJob(&request->app->jobs(), respond, [app] { return ProblemsResponse(Maintain(app)); });
       }});
  api->AddRoute(
      {"POST", "/v1/jobs/batch", "admin", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         app::App* app = &request->app->app();
         absl::StatusOr<lake::BatchJob> job = ParseJob(*request);
         if (!job.ok()) return respond(LakeProblem(job.status()));
         job->cancelled = request->client_gone;
         request->audit_detail = fmt::format("{} {}", job->name, job->day);
         QueueJob(&request->app->jobs(), respond, [app, job = *std::move(job)] { return JobResponse(app, job); });
       }});
}

}  // namespace bowerbird::server
