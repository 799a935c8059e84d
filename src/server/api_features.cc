#include <fmt/format.h>
#include <simdjson.h>

#include <string>
#include <utility>

#include "base/json_writer.h"
#include "base/time_text.h"
#include "catalog/problem.h"
#include "features/tables.h"
#include "serve/feature_rows.h"
#include "server/api_routes.h"
#include "server/serve_json.h"
#include "server/structured_log.h"

namespace bowerbird::server {
namespace {

namespace dom = simdjson::dom;

void WriteTable(const features::NamedTable& named, base::JsonWriter* json) {
  const features::Version& newest = named.newest();
  const features::Table& table = *newest.table;
  json->BeginObject().Key("name").String(named.name).Key("entity").String(features::EntityName(table.entity()));
  json->Key("version").String(newest.version).Key("created_us").Int(newest.created_us);
  json->Key("as_of_us").Int(table.as_of_us()).Key("rows").Uint(table.rows()).Key("columns").BeginArray();
  for (const features::Column& column : table.columns()) {
    json->BeginObject().Key("name").String(column.name).Key("dim").Uint(column.dim).EndObject();
  }
  json->EndArray().Key("versions").Uint(named.versions.size()).EndObject();
}

absl::Status WrongType(std::string_view field, std::string_view expected) {
  return catalog::ToStatus({"wrong_type", std::string(field), fmt::format("expected {}", expected)});
}

absl::StatusOr<features::Source> ParseSource(const HttpRequest& request, int64_t now_us) {
  features::Source source;
  source.as_of_us = now_us;
  dom::parser parser;
  dom::object object;
  if (parser.parse(request.body).get(object) != simdjson::SUCCESS) {
    return catalog::ToStatus({"malformed_json", "", "expected an object with file, entity, key, columns, as_of"});
  }
  bool has_entity = false;
  for (const auto field : object) {
    if (field.key == "columns") {
      dom::array columns;
      if (field.value.get(columns) != simdjson::SUCCESS) return WrongType("columns", "a list of strings");
      for (const dom::element column : columns) {
        std::string_view name;
        if (column.get(name) != simdjson::SUCCESS) return WrongType("columns", "a list of strings");
        source.columns.emplace_back(name);
      }
      continue;
    }
    std::string_view text;
    if (field.value.get(text) != simdjson::SUCCESS) return WrongType(field.key, "a string");
    if (field.key == "file") {
      source.file = text;
    } else if (field.key == "key") {
      source.key_column = text;
    } else if (field.key == "entity") {
      const auto entity = features::ParseEntity(text);
      if (!entity.has_value()) return catalog::ToStatus({"invalid_argument", "entity", "expected user or item"});
      source.entity = *entity;
      has_entity = true;
    } else if (field.key == "as_of") {
      const auto time_us = base::ParseTimeUs(text);
      if (!time_us.ok()) return catalog::ToStatus({"invalid_argument", "as_of", "expected a time of RFC 3339"});
      source.as_of_us = *time_us;
    } else {
      return catalog::ToStatus(
          {"unknown_field", std::string(field.key), "expected file, entity, key, columns or as_of"});
    }
  }
  if (!source.file.starts_with('/'))
    return catalog::ToStatus({"invalid_argument", "file", "expected an absolute path"});
  if (source.key_column.empty()) return catalog::ToStatus({"missing_field", "key", "expected the column of ids"});
  if (!has_entity) return catalog::ToStatus({"missing_field", "entity", "expected user or item"});
  return source;
}

HttpResponse ListResponse(const features::TableSet& set) {
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("tables").BeginArray();
  for (const features::NamedTable& table : set.tables) WriteTable(table, &json);
  json.EndArray().EndObject();
  return response;
}

HttpResponse LoadResponse(features::Tables* tables, const std::string& name, const features::Source& source,
                          const std::function<bool()>& cancelled) {
  const absl::StatusOr<features::LoadReport> report = tables->Load(name, source, cancelled);
  if (!report.ok()) return ProblemResponse(report.status());
  Log(LogLevel::kInfo, "features_loaded",
      {{"table", std::string_view(name)},
       {"version", std::string_view(report->version)},
       {"seconds", report->seconds}});
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("table");
  const auto set = tables->Get();
  WriteTable(*set->Find(name), &json);
  json.Key("seconds").Double(report->seconds).EndObject();
  return response;
}

HttpResponse RowResponse(const features::Tables& tables, const std::string& name, const std::string& id) {
  const auto set = tables.Get();
  const features::NamedTable* table = set->Find(name);
  const auto row =
      table == nullptr ? std::nullopt : serve::ShowFeatures(*table, features::RowKey::Of(tables.hasher(), id));
  if (!row.has_value()) {
    return ProblemResponse(404, "not_found", table == nullptr ? "no such table" : "the table has no such row");
  }
  HttpResponse response;
  WriteFeatures(*row, &response.body);
  return response;
}

}  // namespace

void AddFeatureRoutes(Api* api) {
  api->AddRoute(
      {"GET", "/v1/features", "serve", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         respond(ListResponse(*request->app->app().features().Get()));
       }});
  api->AddRoute(
      {"POST", "/v1/features/{name}/versions", "admin",
       [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         // The file is one of the server's disk: who is elsewhere has no say in it.
         if (!request->local) {
           return respond(ProblemResponse(
               403, "permission_denied",
               "features are read from the server's disk: they are loaded by `bowerbird features load` there"));
         }
         app::App* app = &request->app->app();
         absl::StatusOr<features::Source> source = ParseSource(*request, app->clock().NowUs());
         if (!source.ok()) return respond(ProblemResponse(source.status()));
         const std::string name = request->path_parameters["name"];
         request->audit_detail = name;
         QueueJob(&request->app->jobs(), respond,
                  [app, name, source = *std::move(source), gone = request->client_gone] {
                    return LoadResponse(&app->features(), name, source, gone);
                  });
       }});
  api->AddRoute({"GET", "/v1/features/{name}/rows/{id}", "serve",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   respond(RowResponse(request->app->app().features(), request->path_parameters["name"],
                                       request->path_parameters["id"]));
                 }});
}

}  // namespace bowerbird::server
