#include <fmt/format.h>
#include <simdjson.h>

#include <string>
#include <utility>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "catalog/problem.h"
#include "server/api_routes.h"

namespace bowerbird::server {
namespace {

using simdjson::dom::element;

/// The secret only where it was just made.
void WriteKey(const ApiKey& key, std::string_view secret, base::JsonWriter* json) {
  json->BeginObject().Key("id").String(key.id).Key("name").String(key.name).Key("app").String(key.app);
  json->Key("scopes").BeginArray();
  for (const std::string& scope : key.scopes) json->String(scope);
  json->EndArray().Key("requests_per_second").Double(key.quota.requests_per_second);
  json->Key("events_per_second").Double(key.quota.events_per_second);
  json->Key("created_time").String(base::FormatTimeUs(key.created_us));
  if (!key.former_hash.empty()) json->Key("former_until_time").String(base::FormatTimeUs(key.former_until_us));
  if (!secret.empty()) json->Key("secret").String(secret);
  json->EndObject();
}

absl::Status Wrong(std::string_view field, std::string_view expected) {
  return catalog::ToStatus({"invalid_argument", std::string(field), fmt::format("expected {}", expected)});
}

absl::Status ReadField(std::string_view name, element value, Keys::Wanted* wanted) {
  std::string_view text;
  if (name == "name" || name == "app") {
    if (value.get(text) != simdjson::SUCCESS) return Wrong(name, "a string");
    (name == "name" ? wanted->name : wanted->app) = text;
    return absl::OkStatus();
  }
  if (name == "scopes") {
    simdjson::dom::array scopes;
    if (value.get(scopes) != simdjson::SUCCESS) return Wrong(name, "an array of strings");
    for (const element scope : scopes) {
      if (scope.get(text) != simdjson::SUCCESS) return Wrong(name, "an array of strings");
      wanted->scopes.emplace_back(text);
    }
    return absl::OkStatus();
  }
  const bool requests = name == "requests_per_second";
  if (!requests && name != "events_per_second")
    return Wrong(name, "name, app, scopes, requests_per_second, events_per_second");
  double number = 0;
  if (value.get(number) != simdjson::SUCCESS || !(number >= 0 && number <= Keys::kQuotaMax))
    return Wrong(name, fmt::format("a number from 0 (no bound) to {:.0f}", Keys::kQuotaMax));
  (requests ? wanted->quota.requests_per_second : wanted->quota.events_per_second) = number;
  return absl::OkStatus();
}

absl::StatusOr<Keys::Wanted> ParseWanted(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(body).get(object) != simdjson::SUCCESS)
    return catalog::ToStatus({"malformed_json", "", "expected an object with name, app and scopes"});
  Keys::Wanted wanted;
  for (const auto field : object) RETURN_IF_ERROR(ReadField(field.key, field.value, &wanted));
  return wanted;
}

absl::StatusOr<int64_t> ParseOverlap(const std::string& body) {
  if (body.empty()) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(body).get(object) != simdjson::SUCCESS)
    return catalog::ToStatus({"malformed_json", "", "expected an object with overlap, or no body"});
  int64_t overlap_us = 0;
  for (const auto field : object) {
    std::string_view text;
    const bool fits = field.key == "overlap" && field.value.get(text) == simdjson::SUCCESS;
    const auto parsed = base::ParseDurationUs(text);
    if (!fits || !parsed.ok() || *parsed < 0 || *parsed > 36'500 * int64_t{86'400'000'000})
      return Wrong(field.key, "overlap, a duration such as \"24h\"");
    overlap_us = *parsed;
  }
  return overlap_us;
}

HttpResponse MadeResponse(const absl::StatusOr<Keys::Made>& made) {
  if (!made.ok()) return ProblemResponse(made.status());
  HttpResponse response;
  base::JsonWriter json(&response.body);
  WriteKey(made->key, made->secret, &json);
  return response;
}

HttpResponse Create(Api* api, HttpRequest* request) {
  const absl::StatusOr<Keys::Wanted> wanted = ParseWanted(request->body);
  if (!wanted.ok()) return ProblemResponse(wanted.status());
  if (!wanted->app.empty() && !api->apps().Exists(wanted->app))
    return ProblemResponse(404, "not_found", fmt::format("found no app '{}'", wanted->app), "app");
  const absl::StatusOr<Keys::Made> made = api->keys().Create(*wanted);
  if (made.ok()) {
    request->audit_detail = fmt::format("{} '{}' app '{}' scopes {} requests/s {} events/s {}", made->key.id,
                                        made->key.name, made->key.app, fmt::join(made->key.scopes, ","),
                                        wanted->quota.requests_per_second, wanted->quota.events_per_second);
  }
  return MadeResponse(made);
}

HttpResponse List(Api* api) {
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("keys").BeginArray();
  for (const ApiKey& key : api->keys().List()) WriteKey(key, "", &json);
  json.EndArray().EndObject();
  return response;
}

}  // namespace

void AddKeyRoutes(Api* api) {
  api->AddRoute({"GET", "/v1/keys", "operator",
                 [api](const std::shared_ptr<HttpRequest>&, const Responder& respond) { respond(List(api)); }});
  api->AddRoute(
      {"POST", "/v1/keys", "operator", [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         api->RunJob(respond, [api, request] { return Create(api, request.get()); });
       }});
  api->AddRoute({"POST", "/v1/keys/{id}:rotate", "operator",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   const absl::StatusOr<int64_t> overlap_us = ParseOverlap(request->body);
                   if (!overlap_us.ok()) return respond(ProblemResponse(overlap_us.status()));
                   api->RunJob(respond, [api, overlap_us = *overlap_us, id = request->path_parameters["id"]] {
                     return MadeResponse(api->keys().Rotate(id, overlap_us));
                   });
                 }});
  api->AddRoute({"DELETE", "/v1/keys/{id}", "operator",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   api->RunJob(respond, [api, id = request->path_parameters["id"]] {
                     if (absl::Status status = api->keys().Revoke(id); !status.ok()) return ProblemResponse(status);
                     HttpResponse response;
                     response.body = "{}";
                     return response;
                   });
                 }});
}

}  // namespace bowerbird::server
