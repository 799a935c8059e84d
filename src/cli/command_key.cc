#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "base/clock.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "server/keys.h"

namespace bowerbird::cli {
namespace {

absl::StatusOr<std::unique_ptr<server::Keys>> OpenKeys(const Folder& folder) {
  if (!std::filesystem::is_directory(folder.dir))
    return absl::NotFoundError(fmt::format("{}: no such folder; `bowerbird init` makes one", folder.dir));
  return server::Keys::Open(folder.dir + "/keys.json");
}

}  // namespace

absl::Status KeyCreate(const KeyOptions& options) {
  ASSIGN_OR_RETURN(const auto keys, OpenKeys(options.folder));
  ASSIGN_OR_RETURN(const std::string secret,
                   keys->Create(options.name, options.folder.app, options.scopes, base::SystemClock::Get().NowUs()));
  std::printf("%s\n", secret.c_str());
  std::fprintf(stderr, "keep it: it is not shown again. Send it as: Authorization: Bearer KEY\n");
  return absl::OkStatus();
}

absl::Status KeyList(const Folder& folder) {
  ASSIGN_OR_RETURN(const auto keys, OpenKeys(folder));
  for (const server::ApiKey& key : keys->List()) {
    std::printf("%s  %s  %s  %s\n", key.id.c_str(), base::FormatTimeUs(key.created_us).c_str(),
                fmt::format("{}", fmt::join(key.scopes, ",")).c_str(), key.name.c_str());
  }
  return absl::OkStatus();
}

absl::Status KeyRevoke(const KeyOptions& options) {
  ASSIGN_OR_RETURN(const auto keys, OpenKeys(options.folder));
  RETURN_IF_ERROR(keys->Revoke(options.id));
  std::printf("%s is revoked\n", options.id.c_str());
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
