#include <fmt/format.h>
#include <simdjson.h>

#include <functional>
#include <string>
#include <utility>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "catalog/problem.h"
#include "server/api_routes.h"
#include "server/backup.h"
#include "server/structured_log.h"

namespace bowerbird::server {
namespace {

void WriteApp(const AppHost::Listed& app, base::JsonWriter* json) {
  json->BeginObject().Key("name").String(app.name).Key("status").String(app.status);
  if (!app.detail.empty()) json->Key("detail").String(app.detail);
  if (!app.config_version.empty()) json->Key("config_version").String(app.config_version);
  json->EndObject();
}

HttpResponse ListResponse(Api* api) {
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("apps").BeginArray();
  for (const AppHost::Listed& app : api->apps().List()) WriteApp(app, &json);
  json.EndArray().EndObject();
  return response;
}

struct NewApp {
  std::string name, config;
};

absl::StatusOr<NewApp> ParseNewApp(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(body).get(object) != simdjson::SUCCESS) {
    return catalog::ToStatus({"malformed_json", "", "expected an object with name and, if wanted, config"});
  }
  NewApp app;
  for (const auto field : object) {
    std::string_view text;
    const bool known = field.key == "name" || field.key == "config";
    if (!known) return catalog::ToStatus({"unknown_field", std::string(field.key), "expected name, config"});
    if (field.value.get(text) != simdjson::SUCCESS)
      return catalog::ToStatus({"wrong_type", std::string(field.key), "expected a string"});
    (field.key == "name" ? app.name : app.config) = text;
  }
  RETURN_IF_ERROR(AppHost::CheckName(app.name));
  return app;
}

/// Opening and closing an app takes seconds: not on an I/O thread.
HttpResponse CreateResponse(Api* api, const NewApp& wanted) {
  if (absl::Status status = api->apps().Create(wanted.name, wanted.config); !status.ok())
    return ProblemResponse(status);
  Log(LogLevel::kInfo, "app_created", {{"app", std::string_view(wanted.name)}});
  HttpResponse response;
  base::JsonWriter json(&response.body);
  for (const AppHost::Listed& app : api->apps().List()) {
    if (app.name == wanted.name) WriteApp(app, &json);
  }
  return response;
}

HttpResponse RemoveResponse(Api* api, const std::string& name, bool purge) {
  const auto removed = api->apps().Remove(name, purge, [&] { return api->keys().RevokeApp(name); });
  if (!removed.ok()) return ProblemResponse(removed.status());
  Log(LogLevel::kInfo, "app_removed", {{"app", std::string_view(name)}, {"purged", purge}});
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("name").String(name).Key("moved_to").String(removed->moved_to).EndObject();
  return response;
}

HttpResponse ReloadResponse(Api* api, const std::string& name, bool reopen) {
  const absl::StatusOr<bool> changed = api->apps().Reload(name, reopen);
  if (!changed.ok()) return ProblemResponse(changed.status());
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("name").String(name).Key("changed").Bool(*changed);
  for (const AppHost::Listed& app : api->apps().List()) {
    if (app.name == name) json.Key("config_version").String(app.config_version);
  }
  json.EndObject();
  return response;
}

/// The place is one of the server's disk: an operator elsewhere has no say in it.
HttpResponse BackupResponse(Api* api, const HttpRequest& request) {
  if (!request.local) {
    return ProblemResponse(403, "permission_denied",
                           "a backup is written to the server's disk: it is made by `bowerbird backup` there");
  }
  simdjson::dom::parser parser;
  std::string_view to;
  if (parser.parse(request.body)["to"].get(to) != simdjson::SUCCESS || !to.starts_with('/'))
    return ProblemResponse(400, "invalid_argument", "expected an absolute path", "to");
  const absl::StatusOr<BackupReport> report = BackUp(api->apps(), api->dir(), std::string(to));
  if (!report.ok()) return ProblemResponse(report.status());
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("apps").Uint(report->apps).Key("files").Uint(report->files);
  json.Key("bytes").Uint(report->bytes).Key("seconds").Double(report->seconds).EndObject();
  return response;
}

bool IsTrue(const HttpRequest& request, std::string_view parameter) {
  const auto found = request.query.find(parameter);
  return found != request.query.end() && found->second == "true";
}

}  // namespace

void AddAppRoutes(Api* api) {
  api->AddRoute({"GET", "/v1/apps", "operator",
                 [api](const std::shared_ptr<HttpRequest>&, const Responder& respond) { respond(ListResponse(api)); }});
  api->AddRoute(
      {"POST", "/v1/apps", "operator", [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         absl::StatusOr<NewApp> wanted = ParseNewApp(request->body);
         if (!wanted.ok()) return respond(ProblemResponse(wanted.status()));
         api->RunJob(respond, [api, wanted = *std::move(wanted)] { return CreateResponse(api, wanted); });
       }});
  api->AddRoute({"DELETE", "/v1/apps/{name}", "operator",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   const bool purges = IsTrue(*request, "purge");
                   api->RunJob(respond, [api, purges, name = request->path_parameters["name"]] {
                     return RemoveResponse(api, name, purges);
                   });
                 }});
  api->AddRoute({"POST", "/v1/apps/{name}:reload", "operator",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   const bool reopen = IsTrue(*request, "reopen");
                   api->RunJob(respond, [api, reopen, name = request->path_parameters["name"]] {
                     return ReloadResponse(api, name, reopen);
                   });
                 }});
  api->AddRoute(
      {"POST", "/v1/server:reload", "operator", [api](const std::shared_ptr<HttpRequest>&, const Responder& respond) {
         api->RunJob(respond, [api] { return api->ReloadServer(); });
       }});
  api->AddRoute({"POST", "/v1/server:backup", "operator",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   api->RunJob(respond, [api, request] { return BackupResponse(api, *request); });
                 }});
}

}  // namespace bowerbird::server
