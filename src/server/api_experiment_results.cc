#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <charconv>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "app/experiment_report.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "catalog/problem.h"
#include "experiment/verdict/report.h"
#include "server/api_routes.h"
#include "server/experiment_result_routes.h"

namespace bowerbird::server {
namespace {

std::string Parameter(const HttpRequest& request, const char* name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? "" : found->second;
}

struct Asked {
  app::ExperimentView view;
  bool as_text = false;
};

absl::Status OneOf(const char* field, const std::string& found, const char* first, const char* second) {
  if (found.empty() || found == first || found == second) return absl::OkStatus();
  return catalog::ToStatus(
      {"invalid_argument", field, fmt::format("found '{}'; expected {} or {}", found.substr(0, 32), first, second)});
}

absl::StatusOr<Asked> ParseAsked(const HttpRequest& request) {
  Asked asked;
  const std::string engine = Parameter(request, "engine"), format = Parameter(request, "format");
  RETURN_IF_ERROR(OneOf("engine", engine, "duckdb", "spark"));
  RETURN_IF_ERROR(OneOf("format", format, "json", "text"));
  asked.view.on_spark = engine == "spark";
  asked.as_text = format == "text";
  asked.view.segment = Parameter(request, "segment");
  const std::string others = Parameter(request, "others");
  if (!others.empty()) asked.view.others = absl::StrSplit(others, ',');
  asked.view.cancelled = request.client_gone;
  return asked;
}

absl::StatusOr<v1::Experiment> ParseExperiment(const std::string& body) {
  v1::Experiment experiment;
  const auto parsed = google::protobuf::util::JsonStringToMessage(body, &experiment);
  if (parsed.ok()) return experiment;
  return catalog::ToStatus({"malformed_json", "", fmt::format("expected an experiment: {}", parsed.ToString())});
}

HttpResponse Problem(const absl::Status& status) {
  const std::string message(status.message());
  // A limit is no reason to try again, as 429 would say.
  if (absl::IsResourceExhausted(status)) return ProblemResponse(400, "limit_exceeded", message);
  if (absl::IsDeadlineExceeded(status)) return ProblemResponse(504, "deadline_exceeded", message);
  if (absl::IsCancelled(status)) return ProblemResponse(503, "cancelled", message);
  return ProblemResponse(status);
}

HttpResponse ResultsResponse(app::App& app, const v1::Experiment& experiment, const Asked& asked) {
  const absl::StatusOr<v1::ExperimentResults> results = app::ReportExperiment(app, experiment, asked.view);
  if (!results.ok()) return Problem(results.status());
  HttpResponse response;
  response.body = asked.as_text ? experiment::verdict::ToText(*results) : experiment::verdict::ToJson(*results);
  if (asked.as_text) response.content_type = "text/plain; charset=utf-8";
  return response;
}

HttpResponse PowerResponse(app::App& app, const std::string& metric, double effect, uint32_t days) {
  const absl::StatusOr<v1::ExperimentPower> power = app::ReportPower(app, metric, effect, days);
  if (!power.ok()) return Problem(power.status());
  HttpResponse response;
  response.body = ToJson(*power);
  return response;
}

void Power(const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
  double effect = 0;
  uint32_t days = 0;
  const std::string metric = Parameter(*request, "metric"), effect_text = Parameter(*request, "effect"),
                    days_text = Parameter(*request, "days");
  const auto refuse = [&](const char* field, const std::string& found, const char* expected) {
    respond(ProblemResponse(catalog::ToStatus(
        {"invalid_argument", field, fmt::format("found '{}'; expected {}", found.substr(0, 32), expected)})));
  };
  if (metric.empty()) return refuse("metric", metric, "a metric of the config");
  if (!effect_text.empty() && (!absl::SimpleAtod(effect_text, &effect) || !(effect > 0)))
    return refuse("effect", effect_text, "a relative effect above 0, such as 0.02");
  if (!days_text.empty() && (!absl::SimpleAtoi(days_text, &days) || days == 0))
    return refuse("days", days_text, "1 to 365");
  HostedApp* hosted = request->app.get();
  QueueJob(&hosted->jobs(), respond,
           [hosted, metric, effect, days] { return PowerResponse(hosted->app(), metric, effect, days); });
}

}  // namespace

std::string ToJson(const v1::ExperimentPower& power) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("metric").String(power.metric()).Key("days").Uint(power.days());
  json.Key("units").Uint(power.units()).Key("baseline").Double(power.baseline());
  json.Key("standard_deviation").Double(power.standard_deviation());
  json.Key("variance_reduction").Double(power.variance_reduction()).Key("effect").Double(power.effect());
  json.Key("units_needed").Uint(power.units_needed());
  json.Key("units_needed_without_cuped").Uint(power.units_needed_without_cuped());
  json.Key("detectable").Double(power.detectable()).Key("days_needed").Uint(power.days_needed()).EndObject();
  return text;
}

void AddExperimentResultRoutes(const ExperimentById& find, Api* api) {
  api->AddRoute({"GET", "/v1/experiments:power", "admin", Power});
  api->AddRoute({"POST", "/v1/experiments:results", "admin",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   absl::StatusOr<Asked> asked = ParseAsked(*request);
                   if (!asked.ok()) return respond(ProblemResponse(asked.status()));
                   absl::StatusOr<v1::Experiment> experiment = ParseExperiment(request->body);
                   if (!experiment.ok()) return respond(ProblemResponse(experiment.status()));
                   HostedApp* hosted = request->app.get();
                   QueueJob(&hosted->jobs(), respond,
                            [hosted, experiment = *std::move(experiment), asked = *std::move(asked)] {
                              return ResultsResponse(hosted->app(), experiment, asked);
                            });
                 }});
  api->AddRoute({"GET", "/v1/experiments/{id}/results", "admin",
                 [find](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   absl::StatusOr<Asked> asked = ParseAsked(*request);
                   if (!asked.ok()) return respond(ProblemResponse(asked.status()));
                   HostedApp* hosted = request->app.get();
                   absl::StatusOr<v1::Experiment> experiment = find(hosted->app(), request->path_parameters["id"]);
                   if (!experiment.ok()) return respond(ProblemResponse(experiment.status()));
                   QueueJob(&hosted->jobs(), respond,
                            [hosted, experiment = *std::move(experiment), asked = *std::move(asked)] {
                              return ResultsResponse(hosted->app(), experiment, asked);
                            });
                 }});
}

}  // namespace bowerbird::server
