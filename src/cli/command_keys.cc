#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>
#include <string>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/connection.h"

namespace bowerbird::cli {
namespace {

using simdjson::dom::element;

std::string Text(element parent, std::string_view key) {
  std::string_view text;
  return parent[key].get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

std::string Quota(element key, std::string_view name) {
  double quota = 0;
  if (key[name].get(quota) != simdjson::SUCCESS || quota == 0) return "-";
  return fmt::format("{:g}", quota);
}

std::string Scopes(element key) {
  simdjson::dom::array scopes;
  if (key["scopes"].get(scopes) != simdjson::SUCCESS) return "";
  std::string joined;
  for (const element scope : scopes) {
    std::string_view text;
    if (scope.get(text) == simdjson::SUCCESS) joined += fmt::format("{}{}", joined.empty() ? "" : ",", text);
  }
  return joined;
}

/// The secret alone on standard output, so that a script can keep it.
absl::Status PrintSecret(const std::string& answer) {
  simdjson::dom::parser parser;
  element key;
  if (parser.parse(answer).get(key) != simdjson::SUCCESS) return absl::InternalError("the answer is not JSON");
  std::printf("%s\n", Text(key, "secret").c_str());
  const std::string former = Text(key, "former_until_time");
  if (!former.empty()) std::fprintf(stderr, "the former secret is taken until %s\n", former.c_str());
  std::fprintf(stderr, "%s: keep its secret, it is not shown again. Send it as: Authorization: Bearer SECRET\n",
               Text(key, "id").c_str());
  return absl::OkStatus();
}

std::string TargetOf(const std::string& id) { return fmt::format("/v1/keys/{}", server::PercentEncode(id)); }

}  // namespace

absl::Status KeysCreate(const KeysOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::OpenFolder(options.folder.dir, false));
  const bool operates = std::find(options.scopes.begin(), options.scopes.end(), "operator") != options.scopes.end();
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject().Key("name").String(options.name).Key("app").String(operates ? "" : options.folder.app);
  json.Key("scopes").BeginArray();
  for (const std::string& scope : options.scopes) json.String(scope);
  json.EndArray().Key("requests_per_second").Double(options.requests_per_second);
  json.Key("events_per_second").Double(options.events_per_second).EndObject();
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/keys", body));
  return PrintSecret(answer);
}

absl::Status KeysList(const KeysOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::OpenFolder(options.folder.dir, false));
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("GET", "/v1/keys", ""));
  simdjson::dom::parser parser;
  simdjson::dom::array keys;
  if (parser.parse(answer)["keys"].get(keys) != simdjson::SUCCESS)
    return absl::InternalError("the answer is no list of keys");
  std::printf("%-17s %-16s %-20s %10s %10s  %-27s %s\n", "id", "app", "scopes", "requests/s", "events/s", "made",
              "name");
  for (const element key : keys) {
    const std::string app = Text(key, "app");
    std::printf("%-17s %-16s %-20s %10s %10s  %-27s %s\n", Text(key, "id").c_str(),
                app.empty() ? "(every)" : app.c_str(), Scopes(key).c_str(), Quota(key, "requests_per_second").c_str(),
                Quota(key, "events_per_second").c_str(), Text(key, "created_time").c_str(), Text(key, "name").c_str());
  }
  return absl::OkStatus();
}

absl::Status KeysRevoke(const KeysOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::OpenFolder(options.folder.dir, false));
  RETURN_IF_ERROR(connection->Checked("DELETE", TargetOf(options.id), "").status());
  std::printf("%s is revoked\n", options.id.c_str());
  return absl::OkStatus();
}

absl::Status KeysRotate(const KeysOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::OpenFolder(options.folder.dir, false));
  std::string body;
  base::JsonWriter(&body).BeginObject().Key("overlap").String(options.overlap).EndObject();
  ASSIGN_OR_RETURN(const std::string answer,
                   connection->Checked("POST", fmt::format("{}:rotate", TargetOf(options.id)), body));
  return PrintSecret(answer);
}

}  // namespace bowerbird::cli
