#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <string>
#include <utility>

#include "app/traffic_report.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "catalog/problem.h"
#include "server/api_routes.h"
#include "server/forward.h"

namespace bowerbird::server {
namespace {

namespace dom = simdjson::dom;
using state::MarkReason;

absl::StatusOr<uint32_t> ParseDays(const HttpRequest& request) {
  const auto found = request.query.find("days");
  if (found == request.query.end()) return app::kTrafficDaysDefault;
  uint32_t days = 0;
  const std::string& text = found->second;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), days);
  if (error == std::errc() && stopped == text.data() + text.size() && !text.empty()) return days;
  return catalog::ToStatus({"invalid_argument", "days",
                            fmt::format("found '{}'; expected 1 to {}", text.substr(0, 32), app::kTrafficDaysMax)});
}

HttpResponse ReportResponse(const absl::StatusOr<v1::TrafficResponse>& report) {
  if (!report.ok()) return ProblemResponse(report.status());
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("days").BeginArray();
  for (const v1::TrafficDay& day : report->days()) {
    json.BeginObject().Key("day").String(day.day()).Key("marked_share").Double(day.marked_share());
    json.Key("reasons").BeginArray();
    for (const v1::TrafficShare& share : day.reasons()) {
      json.BeginObject().Key("reason").String(share.reason()).Key("events").Uint(share.events());
      json.Key("users").Uint(share.users()).Key("share").Double(share.share()).EndObject();
    }
    json.EndArray().EndObject();
  }
  json.EndArray().Key("seconds").Double(report->seconds()).EndObject();
  return response;
}

/// {"marked": true}.
absl::StatusOr<MarkReason> ParseMarking(const std::string& body) {
  dom::parser parser;
  dom::object object;
  bool marked = false;
  if (parser.parse(body).get(object) != simdjson::SUCCESS)
    return catalog::ToStatus({"malformed_json", "", "expected an object with marked"});
  for (const auto field : object) {
    if (field.key != "marked") return catalog::ToStatus({"unknown_field", std::string(field.key), "expected marked"});
  }
  const auto found = object.at_key("marked");
  if (found.error() != simdjson::SUCCESS)
    return catalog::ToStatus({"missing_field", "marked", "found nothing; expected true or false"});
  if (found.get(marked) != simdjson::SUCCESS)
    return catalog::ToStatus({"wrong_type", "marked", "expected true or false"});
  return marked ? MarkReason::kByHand : MarkReason::kUnmarked;
}

void Mark(Api* api, const std::shared_ptr<HttpRequest>& request, MarkReason decision, const Responder& respond) {
  Forwarder::Asked about;
  about.user = request->path_parameters.find("id")->second;
  request->audit_detail = fmt::format("id {}: {}", about.user, state::MarkReasonName(decision));
  about.answer = [request, respond, decision](const std::string& user) {
    QueueWrite(request->app.get(), respond, [request, respond, decision, user] {
      const absl::Status marked = request->app->app().MarkUser(user, decision);
      if (!marked.ok()) return respond(ProblemResponse(marked));
      HttpResponse response;
      response.body = "{}";
      respond(std::move(response));
    });
  };
  about.without_owner = [respond] {
    respond(ProblemResponse(503, "owner_unreachable",
                            "the node that has the user's state does not answer; try again in a second"));
  };
  api->forwarder().Bring(request, std::move(about), respond);
}

}  // namespace

void AddTrafficRoutes(Api* api) {
  api->AddRoute(
      {"GET", "/v1/traffic", "admin", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         const absl::StatusOr<uint32_t> days = ParseDays(*request);
         if (!days.ok()) return respond(ProblemResponse(days.status()));
         app::App* app = &request->app->app();
         QueueJob(&request->app->jobs(), respond,
                  [app, days = *days] { return ReportResponse(app::ReportTraffic(*app, days)); });
       }});
  api->AddRoute({"PUT", "/v1/users/{id}/mark", "admin",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   const absl::StatusOr<MarkReason> decision = ParseMarking(request->body);
                   if (!decision.ok()) return respond(ProblemResponse(decision.status()));
                   Mark(api, request, *decision, respond);
                 }});
  api->AddRoute({"DELETE", "/v1/users/{id}/mark", "admin",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   Mark(api, request, MarkReason::kRules, respond);
                 }});
}

}  // namespace bowerbird::server
