#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "app/app.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "config/config.h"
#include "store/file.h"

namespace bowerbird::cli {

absl::Status ConfigCheck(const ConfigCheckOptions& options) {
  const std::string path = options.file.empty()
                               ? app::App::Folder(options.folder.dir, options.folder.app) + "/bowerbird.toml"
                               : options.file;
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(path));
  const config::ParseResult parsed = config::Parse(text, path);
  for (const config::Problem& problem : parsed.problems) std::printf("%s\n", problem.ToString().c_str());
  if (!parsed.problems.empty()) return absl::InvalidArgumentError(fmt::format("{} problems", parsed.problems.size()));
  std::printf("%s: no problems; version %s: %zu event types, %zu generators, %zu surfaces\n", path.c_str(),
              parsed.config->version.c_str(), parsed.config->event_types.size(), parsed.config->generators.size(),
              parsed.config->surfaces.size());
  return absl::OkStatus();
}

absl::Status Init(const Folder& folder) {
  ASSIGN_OR_RETURN(const bool made, app::App::InitFolder(folder.dir, folder.app, config::StarterText()));
  std::printf("%s/bowerbird.toml %s\n", app::App::Folder(folder.dir, folder.app).c_str(),
              made ? "written" : "was there already");
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
