#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "app/app.h"
#include "base/status_macros.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;

absl::Status Failed(const fs::path& path, const std::error_code& error) {
  return absl::UnavailableError(fmt::format("copy {}: {}", path.string(), error.message()));
}

/// `shared`: the file is never written again, so that the copy may be the file itself under another name.
absl::Status CopyFile(const fs::path& from, const fs::path& to, bool shared) {
  std::error_code error;
  if (shared) {
    fs::create_hard_link(from, to, error);
    if (!error) return absl::OkStatus();
  }
  fs::copy_file(from, to, error);
  return error ? Failed(from, error) : absl::OkStatus();
}

absl::Status MakeFolder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? Failed(path, error) : absl::OkStatus();
}

/// The files of one folder, without its subfolders.
absl::Status CopyFiles(const fs::path& from, const fs::path& to, bool shared) {
  RETURN_IF_ERROR(MakeFolder(to));
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(from, error)) {
    if (entry.is_regular_file()) RETURN_IF_ERROR(CopyFile(entry.path(), to / entry.path().filename(), shared));
  }
  return error ? Failed(from, error) : absl::OkStatus();
}

/// Every published version. One that is pruned meanwhile is left out: newer ones are there.
absl::Status CopyArtifacts(const fs::path& from, const fs::path& to) {
  std::error_code none;
  for (const fs::directory_entry& kind : fs::directory_iterator(from, none)) {
    for (const fs::directory_entry& name : fs::directory_iterator(kind.path(), none)) {
      for (const fs::directory_entry& version : fs::directory_iterator(name.path(), none)) {
        if (!fs::exists(version.path() / "manifest.json", none)) continue;
        const fs::path target = to / fs::relative(version.path(), from, none);
        const absl::Status copied = CopyFiles(version.path(), target, true);
        if (copied.ok()) continue;
        if (fs::exists(version.path() / "manifest.json", none)) return copied;
        fs::remove_all(target, none);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status App::CopyTo(const std::string& to) {
  // No other config comes into force: every version that the log names is among the copied artifacts.
  const absl::MutexLock lock(&reload_mutex_);
  const fs::path from = folder_, target = to;
  std::error_code none;
  if (fs::exists(target, none)) return absl::AlreadyExistsError(fmt::format("{}: it is there already", to));
  RETURN_IF_ERROR(MakeFolder(target / "state"));
  for (const char* file : {"bowerbird.toml", "secret"}) {
    RETURN_IF_ERROR(CopyFile(from / file, target / file, false));
  }
  // How far imports have come, before what they brought.
  if (fs::exists(from / "imports", none)) RETURN_IF_ERROR(CopyFiles(from / "imports", target / "imports", false));
  RETURN_IF_ERROR(CopyArtifacts(from / "artifacts", target / "artifacts"));
  RETURN_IF_ERROR(lake_->CopyTo((target / "lake").string()));
  RETURN_IF_ERROR(state_->Checkpoint((target / "state/events").string()));
  RETURN_IF_ERROR(catalog_->Checkpoint((target / "state/catalog").string()));
  return log_->in_folder() ? log_->Checkpoint((target / "log").string()) : absl::OkStatus();
}

}  // namespace bowerbird::app
