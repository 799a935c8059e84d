#include "server/backup.h"

#include <fmt/format.h>
#include <simdjson.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "store/file.h"

namespace bowerbird::server {
namespace {

namespace fs = std::filesystem;

constexpr char kManifest[] = "backup.json";
constexpr uint64_t kFormat = 1;

struct File {
  std::string path;  ///< below the backup's folder
  uint64_t bytes = 0;
  std::string checksum;
};

absl::Status Failed(const fs::path& path, const std::error_code& error) {
  return absl::UnavailableError(fmt::format("{}: {}", path.string(), error.message()));
}

bool IsAbsentOrEmpty(const fs::path& path) {
  std::error_code none;
  return !fs::exists(path, none) || (fs::is_directory(path, none) && fs::is_empty(path, none));
}

std::string FilesJson(const std::vector<File>& files) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginArray();
  for (const File& file : files) {
    json.BeginObject().Key("path").String(file.path).Key("bytes").Uint(file.bytes);
    json.Key("checksum").String(file.checksum).EndObject();
  }
  json.EndArray();
  return text;
}

/// Of the list itself, so that a damaged one is not taken for a shorter one.
std::string ChecksumOf(const std::string& files_json) { return fmt::format("{:016x}", base::Hash64(files_json)); }

absl::StatusOr<File> Describe(const fs::path& root, const fs::path& path) {
  File file;
  std::error_code error;
  file.path = fs::relative(path, root, error).string();
  if (!error) file.bytes = fs::file_size(path, error);
  if (error) return Failed(path, error);
  ASSIGN_OR_RETURN(file.checksum, store::ChecksumFile(path.string()));
  return file;
}

/// Everything below `root`, durable, by path.
absl::StatusOr<std::vector<File>> Seal(const fs::path& root) {
  std::vector<File> files;
  std::error_code error;
  RETURN_IF_ERROR(store::SyncFolder(root.string()));
  for (auto it = fs::recursive_directory_iterator(root, error); !error && it != fs::end(it); it.increment(error)) {
    if (it->is_directory()) {
      RETURN_IF_ERROR(store::SyncFolder(it->path().string()));
      continue;
    }
    RETURN_IF_ERROR(store::SyncFile(it->path().string()));
    ASSIGN_OR_RETURN(File file, Describe(root, it->path()));
    files.push_back(std::move(file));
  }
  if (error) return Failed(root, error);
  std::ranges::sort(files, {}, &File::path);
  return files;
}

bool LeadsOutside(const fs::path& path) {
  return path.empty() || path.is_absolute() || std::ranges::find(path, fs::path("..")) != path.end();
}

absl::StatusOr<std::vector<File>> ReadManifest(const fs::path& from) {
  const std::string path = (from / kManifest).string();
  std::error_code none;
  if (!fs::exists(path, none)) {
    return absl::NotFoundError(fmt::format("{}: no such file: this is no backup, or one that was not finished", path));
  }
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(path));
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  uint64_t format = 0;
  std::string_view checksum;
  simdjson::dom::array list;
  if (parser.parse(text).get(document) || document["format"].get(format) || document["checksum"].get(checksum) ||
      document["files"].get(list)) {
    return absl::DataLossError(fmt::format("{}: it is damaged: it has no format, checksum or files", path));
  }
  if (format != kFormat) {
    return absl::FailedPreconditionError(
        fmt::format("{}: found format {}; this program reads {}", path, format, kFormat));
  }
  std::vector<File> files;
  for (const simdjson::dom::element entry : list) {
    std::string_view name, sum;
    File file;
    if (entry["path"].get(name) || entry["bytes"].get(file.bytes) || entry["checksum"].get(sum))
      return absl::DataLossError(fmt::format("{}: it is damaged: a file has no path, bytes or checksum", path));
    file.path = name;
    file.checksum = sum;
    if (LeadsOutside(file.path))
      return absl::DataLossError(fmt::format("{}: found path '{}', which leads out of the backup", path, file.path));
    files.push_back(std::move(file));
  }
  if (ChecksumOf(FilesJson(files)) != checksum)
    return absl::DataLossError(fmt::format("{}: it is damaged: the list of files does not fit its checksum", path));
  return files;
}

absl::Status Check(const fs::path& from, const File& file) {
  const fs::path path = from / file.path;
  std::error_code none;
  if (!fs::is_regular_file(path, none))
    return absl::DataLossError(fmt::format("{}: it is missing from the backup", path.string()));
  ASSIGN_OR_RETURN(const File found, Describe(from, path));
  if (found.bytes != file.bytes || found.checksum != file.checksum) {
    return absl::DataLossError(fmt::format("{}: it is damaged: found {} bytes with checksum {}; expected {} with {}",
                                           path.string(), found.bytes, found.checksum, file.bytes, file.checksum));
  }
  return absl::OkStatus();
}

absl::Status CopyAll(const fs::path& from, const fs::path& to, const std::vector<File>& files) {
  std::error_code error;
  for (const File& file : files) {
    fs::create_directories((to / file.path).parent_path(), error);
    if (!error) fs::copy_file(from / file.path, to / file.path, error);
    if (error) return Failed(to / file.path, error);
    RETURN_IF_ERROR(Check(to, file));
    RETURN_IF_ERROR(store::SyncFile((to / file.path).string()));
  }
  return absl::OkStatus();
}

void Count(const std::vector<File>& files, BackupReport* report) {
  std::set<std::string> apps;
  for (const File& file : files) {
    ++report->files;
    report->bytes += file.bytes;
    auto part = fs::path(file.path).begin();
    if (*part == "apps") apps.insert((++part)->string());
  }
  report->apps = apps.size();
}

}  // namespace

absl::StatusOr<BackupReport> BackUp(AppHost& apps, const std::string& dir, const std::string& to) {
  const int64_t start_us = base::MonotonicUs();
  const fs::path root = to;
  if (!IsAbsentOrEmpty(root)) return absl::FailedPreconditionError(fmt::format("{}: expected an empty folder", to));
  // Held while they are copied: none is closed under the copy.
  std::map<std::string, std::shared_ptr<HostedApp>> open;
  for (const AppHost::Listed& listed : apps.List()) {
    auto app = apps.Find(listed.name);
    if (!app.ok()) {
      return absl::FailedPreconditionError(
          fmt::format("app '{}' is {}, and a backup without it would not be whole: {}", listed.name, listed.status,
                      listed.detail.empty() ? std::string(app.status().message()) : listed.detail));
    }
    open[listed.name] = *std::move(app);
  }
  std::error_code error;
  fs::create_directories(root / "apps", error);
  // Secrets are in it.
  if (!error) fs::permissions(root, fs::perms::owner_all, error);
  if (error) return Failed(root, error);
  // Keys before apps: a key of an app that is not in the copy opens nothing, and an app without its keys would be shut.
  for (const char* file : {"server.toml", "keys.json", "audit.log", "node"}) {
    if (!fs::exists(fs::path(dir) / file, error)) continue;
    fs::copy_file(fs::path(dir) / file, root / file, error);
    if (error) return Failed(root / file, error);
  }
  for (const auto& [name, app] : open) RETURN_IF_ERROR(app->app().CopyTo((root / "apps" / name).string()));
  ASSIGN_OR_RETURN(const std::vector<File> files, Seal(root));
  const std::string files_json = FilesJson(files);
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("format").Uint(kFormat);
  json.Key("made").String(base::FormatTimeUs(base::SystemClock::Get().NowUs()));
  json.Key("checksum").String(ChecksumOf(files_json)).Key("files").Raw(files_json).EndObject();
  RETURN_IF_ERROR(store::AtomicWriteFile((root / kManifest).string(), text));
  BackupReport report;
  Count(files, &report);
  report.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  return report;
}

absl::StatusOr<BackupReport> Restore(const std::string& from, const std::string& dir) {
  const int64_t start_us = base::MonotonicUs();
  if (!IsAbsentOrEmpty(dir)) return absl::FailedPreconditionError(fmt::format("{}: expected an empty folder", dir));
  ASSIGN_OR_RETURN(const std::vector<File> files, ReadManifest(from));
  for (const File& file : files) RETURN_IF_ERROR(Check(from, file));
  // Beside the target, then renamed: a restore that is cut off leaves no half a folder under the name.
  fs::path target = fs::absolute(dir).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  const fs::path half = target.string() + ".restoring";
  std::error_code error;
  fs::remove_all(half, error);
  fs::create_directories(half, error);
  if (!error) fs::permissions(half, fs::perms::owner_all, error);
  if (error) return Failed(half, error);
  RETURN_IF_ERROR(CopyAll(from, half, files));
  RETURN_IF_ERROR(Seal(half).status());
  fs::rename(half, target, error);
  if (error) return Failed(target, error);
  RETURN_IF_ERROR(store::SyncFolder(target.parent_path().string()));
  BackupReport report;
  Count(files, &report);
  report.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  return report;
}

}  // namespace bowerbird::server
