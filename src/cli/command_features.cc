#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/progress.h"
#include "server/http.h"

namespace bowerbird::cli {
namespace {

namespace dom = simdjson::dom;

absl::Status NotUnderstood() { return absl::InternalError("the server's answer is not what was asked for"); }

/// "score, embedding[64]".
absl::StatusOr<std::string> Columns(const dom::element& table) {
  dom::array columns;
  if (table["columns"].get(columns)) return NotUnderstood();
  std::string text;
  for (const dom::element column : columns) {
    std::string_view name;
    uint64_t dim = 0;
    if (column["name"].get(name) || column["dim"].get(dim)) return NotUnderstood();
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", name, dim == 0 ? "" : fmt::format("[{}]", dim));
  }
  return text;
}

absl::Status PrintTable(const dom::element& table) {
  std::string_view name, entity, version;
  uint64_t rows = 0;
  int64_t as_of_us = 0;
  if (table["name"].get(name) || table["entity"].get(entity) || table["version"].get(version) ||
      table["rows"].get(rows) || table["as_of_us"].get(as_of_us)) {
    return NotUnderstood();
  }
  ASSIGN_OR_RETURN(const std::string columns, Columns(table));
  std::printf("%-24s %-6s %-8s %14s  %-27s %s\n", std::string(name).c_str(), std::string(entity).c_str(),
              std::string(version).c_str(), Thousands(rows).c_str(), base::FormatTimeUs(as_of_us).c_str(),
              columns.c_str());
  return absl::OkStatus();
}

void PrintHeader() {
  std::printf("%-24s %-6s %-8s %14s  %-27s %s\n", "table", "entity", "version", "rows", "as of", "columns");
}

}  // namespace

absl::Status FeaturesLoad(const FeaturesOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  std::string body;
  base::JsonWriter json(&body);
  // The server's working folder is another.
  json.BeginObject().Key("file").String(std::filesystem::absolute(options.file).string());
  json.Key("entity").String(options.entity).Key("key").String(options.key).Key("columns").BeginArray();
  for (const std::string& column : options.columns) json.String(column);
  json.EndArray();
  if (!options.as_of.empty()) json.Key("as_of").String(options.as_of);
  json.EndObject();
  const std::string target = fmt::format("/v1/features/{}/versions", server::PercentEncode(options.table));
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", target, body));
  dom::parser parser;
  dom::element root, table;
  double seconds = 0;
  uint64_t rows = 0;
  if (parser.parse(answer).get(root) || root["table"].get(table) || table["rows"].get(rows) ||
      root["seconds"].get(seconds)) {
    return NotUnderstood();
  }
  PrintHeader();
  RETURN_IF_ERROR(PrintTable(table));
  std::printf("%s rows in %.2f s\n", Thousands(rows).c_str(), seconds);
  return absl::OkStatus();
}

absl::Status FeaturesList(const FeaturesOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("GET", "/v1/features", ""));
  dom::parser parser;
  dom::array tables;
  if (parser.parse(answer)["tables"].get(tables)) return NotUnderstood();
  PrintHeader();
  for (const dom::element table : tables) RETURN_IF_ERROR(PrintTable(table));
  return absl::OkStatus();
}

absl::Status FeaturesShow(const FeaturesOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  const std::string target =
      fmt::format("/v1/features/{}/rows/{}", server::PercentEncode(options.table), server::PercentEncode(options.id));
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("GET", target, ""));
  dom::parser parser;
  dom::element root;
  dom::array values;
  if (parser.parse(answer).get(root) || root["values"].get(values)) return NotUnderstood();
  for (const dom::element value : values) {
    std::string_view name;
    double number = 0;
    dom::array vector;
    if (value["name"].get(name)) return NotUnderstood();
    std::string text = "-";
    if (value["number"].get(number) == simdjson::SUCCESS) text = fmt::format("{:g}", number);
    if (value["vector"].get(vector) == simdjson::SUCCESS) text = simdjson::minify(vector);
    std::printf("%-24s %s\n", std::string(name).c_str(), text.c_str());
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
