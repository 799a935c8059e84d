#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>
#include <filesystem>

#include "app/app.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "config/config.h"
#include "store/file.h"

namespace bowerbird::cli {

namespace {

constexpr char kServerFile[] = "server.toml";

size_t Print(const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) std::printf("%s\n", problem.ToString().c_str());
  return problems.size();
}

/// The number of problems, each of which is printed.
absl::StatusOr<size_t> CheckApp(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(path));
  const config::ParseResult parsed = config::Parse(text, path);
  if (parsed.config != nullptr) {
    std::printf("%s: no problems; version %s: %zu event types, %zu generators, %zu surfaces\n", path.c_str(),
                parsed.config->version.c_str(), parsed.config->event_types.size(), parsed.config->generators.size(),
                parsed.config->surfaces.size());
  }
  return Print(parsed.problems);
}

absl::StatusOr<size_t> CheckServer(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(path));
  const config::ServerParseResult parsed = config::ParseServer(text, path);
  if (parsed.config.has_value()) std::printf("%s: no problems\n", path.c_str());
  return Print(parsed.problems);
}

}  // namespace

absl::Status ConfigCheck(const ConfigCheckOptions& options) {
  size_t problems = 0;
  if (!options.file.empty()) {
    const bool server = std::filesystem::path(options.file).filename() == kServerFile;
    ASSIGN_OR_RETURN(problems, server ? CheckServer(options.file) : CheckApp(options.file));
  } else {
    ASSIGN_OR_RETURN(problems, CheckApp(app::App::Folder(options.folder.dir, options.folder.app) + "/bowerbird.toml"));
    const std::string server = options.folder.dir + "/" + kServerFile;
    if (std::filesystem::exists(server)) {
      ASSIGN_OR_RETURN(const size_t more, CheckServer(server));
      problems += more;
    }
  }
  return problems == 0 ? absl::OkStatus() : absl::InvalidArgumentError(fmt::format("{} problems", problems));
}

absl::Status ConfigReload(const ConfigReloadOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::OpenFolder(options.folder.dir, false));
  if (!connection->remote())
    return absl::FailedPreconditionError(
        fmt::format("no server owns {}: there is nothing to reload", options.folder.dir));
  simdjson::dom::parser parser;
  if (options.app.empty()) {
    ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/server:reload", "{}"));
    simdjson::dom::object files;
    if (parser.parse(answer)["files"].get(files) != simdjson::SUCCESS)
      return absl::InternalError("the answer is not a reload's result");
    for (const auto file : files) {
      std::string_view became;
      if (file.value.get(became) == simdjson::SUCCESS)
        std::printf("%s: %s\n", std::string(file.key).c_str(), std::string(became).c_str());
    }
    return absl::OkStatus();
  }
  const std::string target =
      fmt::format("/v1/apps/{}:reload{}", server::PercentEncode(options.app), options.reopen ? "?reopen=true" : "");
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", target, "{}"));
  std::string_view version;
  bool changed = false;
  const auto document = parser.parse(answer);
  if (document["config_version"].get(version) != simdjson::SUCCESS ||
      document["changed"].get(changed) != simdjson::SUCCESS)
    return absl::InternalError("the answer is not a reload's result");
  std::printf("%s: config %s %s\n", options.app.c_str(), std::string(version).c_str(),
              changed ? "is in force" : "was in force already");
  return absl::OkStatus();
}

absl::Status Init(const InitOptions& options) {
  const Folder& folder = options.folder;
  const std::string path = app::App::Folder(folder.dir, folder.app) + "/bowerbird.toml";
  std::string text = config::StarterText();
  if (!options.preset.empty()) {
    ASSIGN_OR_RETURN(text, config::PresetText(options.preset));
  }
  ASSIGN_OR_RETURN(const bool made, app::App::InitFolder(folder.dir, folder.app, text));
  if (!made && !options.preset.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("{} is there already and is left as it is; name another folder, or remove it", path));
  }
  std::printf("%s %s\n", path.c_str(), made ? "written" : "was there already");
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
