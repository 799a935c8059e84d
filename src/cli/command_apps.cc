#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>
#include <string>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "store/file.h"

namespace bowerbird::cli {
namespace {

std::string Text(simdjson::dom::element parent, std::string_view key) {
  std::string_view text;
  return parent[key].get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

void PrintApp(simdjson::dom::element app) {
  const std::string detail = Text(app, "detail");
  std::printf("%-24s %-8s %s\n", Text(app, "name").c_str(), Text(app, "status").c_str(),
              detail.empty() ? fmt::format("config {}", Text(app, "config_version")).c_str() : detail.c_str());
}

}  // namespace

absl::Status AppsCreate(const AppsOptions& options) {
  std::string config;
  if (!options.config.empty()) {
    ASSIGN_OR_RETURN(config, store::ReadFile(options.config));
  }
  ASSIGN_OR_RETURN(const auto connection, Connection::OpenFolder(options.folder.dir, false));
  std::string body;
  base::JsonWriter(&body).BeginObject().Key("name").String(options.name).Key("config").String(config).EndObject();
  RETURN_IF_ERROR(connection->Checked("POST", "/v1/apps", body).status());
  std::printf("%s is made; its config: %s/bowerbird.toml\n", options.name.c_str(),
              app::App::Folder(options.folder.dir, options.name).c_str());
  return absl::OkStatus();
}

absl::Status AppsList(const AppsOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::OpenFolder(options.folder.dir, true));
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("GET", "/v1/apps", ""));
  simdjson::dom::parser parser;
  simdjson::dom::array apps;
  if (parser.parse(answer)["apps"].get(apps) != simdjson::SUCCESS)
    return absl::InternalError("the answer is no list of apps");
  for (const simdjson::dom::element app : apps) PrintApp(app);
  return absl::OkStatus();
}

absl::Status AppsRemove(const AppsOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::OpenFolder(options.folder.dir, true));
  const std::string target =
      fmt::format("/v1/apps/{}{}", server::PercentEncode(options.name), options.purge ? "?purge=true" : "");
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("DELETE", target, ""));
  simdjson::dom::parser parser;
  simdjson::dom::element removed;
  if (parser.parse(answer).get(removed) != simdjson::SUCCESS) return absl::InternalError("the answer is not JSON");
  const std::string moved_to = Text(removed, "moved_to");
  std::printf("%s is removed, its keys are ended; its folder is %s\n", options.name.c_str(),
              moved_to.empty() ? "deleted" : fmt::format("now {}", moved_to).c_str());
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
