#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/json_writer.h"
#include "server/api_routes.h"
#include "server/forward.h"
#include "server/structured_log.h"

namespace bowerbird::server {
namespace {

using CountedPlaces = std::vector<std::pair<std::string, uint64_t>>;

void WritePlaces(std::string_view key, const CountedPlaces& places, base::JsonWriter* json) {
  json->Key(key).BeginArray();
  for (const auto& [place, count] : places)
    json->BeginObject().Key("place").String(place).Key("count").Uint(count).EndObject();
  json->EndArray();
}

HttpResponse ForgetResponse(const absl::StatusOr<uint32_t>& ids) {
  if (!ids.ok()) return ProblemResponse(ids.status());
  HttpResponse response;
  base::JsonWriter(&response.body).BeginObject().Key("ids").Uint(*ids).EndObject();
  return response;
}

HttpResponse RedactResponse(const absl::StatusOr<forget::RedactReport>& report) {
  if (!report.ok()) return ProblemResponse(report.status());
  Log(LogLevel::kInfo, "redacted",
      {{"ids", static_cast<double>(report->ids)},
       {"log_records", static_cast<double>(report->log_records)},
       {"lake_rows", static_cast<double>(report->lake_rows)},
       {"seconds", report->seconds}});
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("ids").Uint(report->ids).Key("log_records").Uint(report->log_records);
  json.Key("lake_rows").Uint(report->lake_rows).Key("log_by_retention").Bool(report->log_by_retention);
  json.Key("seconds").Double(report->seconds).EndObject();
  return response;
}

HttpResponse AuditResponse(const absl::StatusOr<forget::Traces>& traces) {
  if (!traces.ok()) return ProblemResponse(traces.status());
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject();
  WritePlaces("traces", traces->found, &json);
  WritePlaces("kept", traces->kept, &json);
  json.Key("fields_only").Bool(traces->fields_only).Key("problems").BeginArray();
  for (const std::string& problem : traces->problems) json.String(problem);
  json.EndArray().EndObject();
  return response;
}

const std::string& IdOf(const HttpRequest& request) { return request.path_parameters.find("id")->second; }

}  // namespace

void AddForgetRoutes(Api* api) {
  api->AddRoute({"DELETE", "/v1/users/{id}", "admin",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   app::App* app = &request->app->app();
                   // Nobody who was forgotten is named by the record that it was done.
                   request->audit_detail = fmt::format("user key {:016x}", app->hasher().User(IdOf(*request)).value);
                   Forwarder::Asked about;
                   about.user = IdOf(*request);
                   about.answer = [app, request, respond](const std::string& user) {
                     QueueWrite(request->app.get(), respond,
                                [app, request, respond, user] { respond(ForgetResponse(app->ForgetUser(user))); });
                   };
                   about.without_owner = [respond] {
                     respond(
                         ProblemResponse(503, "owner_unreachable",
                                         "the node that has the user's state does not answer; try again in a second"));
                   };
                   api->forwarder().Bring(request, std::move(about), respond);
                 }});
  api->AddRoute(
      {"POST", "/v1/jobs/redact", "admin", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         app::App* app = &request->app->app();
         QueueJob(&request->app->jobs(), respond, [app] { return RedactResponse(app->Redact()); });
       }});
  api->AddRoute({"GET", "/v1/users/{id}/audit", "admin",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   app::App* app = &request->app->app();
                   QueueJob(&request->app->jobs(), respond,
                            [app, id = IdOf(*request)] { return AuditResponse(app->AuditUser(id)); });
                 }});
}

}  // namespace bowerbird::server
