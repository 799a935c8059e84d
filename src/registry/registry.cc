#include "registry/registry.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "store/file.h"

namespace bowerbird::registry {
namespace {

namespace fs = std::filesystem;

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

absl::Status CheckNames(std::string_view kind, std::string_view name) {
  for (const auto& [what, text] : {std::pair{"kind", kind}, {"name", name}}) {
    if (!IsName(text)) {
      return absl::InvalidArgumentError(
          fmt::format("artifact {}: found '{}'; expected 1 to 64 of a-z, 0-9, '_' and '-'", what, text));
    }
  }
  return absl::OkStatus();
}

/// The version's number; nullopt for what is no version.
std::optional<uint64_t> Number(std::string_view version) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), number);
  if (error != std::errc() || end != version.data() + version.size() || number == 0 || number > 999'999'999'999) {
    return std::nullopt;
  }
  if (fmt::format("{:06}", number) != version) return std::nullopt;
  return number;
}

absl::Status FromError(const std::error_code& error, std::string_view doing, const std::string& path) {
  return absl::UnavailableError(fmt::format("{} {}: {}", doing, path, error.message()));
}

/// The numbers of the version folders, ascending, whether published or not.
absl::StatusOr<std::vector<uint64_t>> VersionFolders(const std::string& folder) {
  std::vector<uint64_t> numbers;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  if (error == std::errc::no_such_file_or_directory) return numbers;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (const auto number = Number(entry->path().filename().string())) numbers.push_back(*number);
  }
  if (error) return FromError(error, "list", folder);
  std::ranges::sort(numbers);
  return numbers;
}

std::string VersionFolder(const std::string& folder, uint64_t number) {
  return fmt::format("{}/{:06}", folder, number);
}

bool IsPublished(const std::string& version_folder) {
  std::error_code error;
  return fs::exists(fmt::format("{}/{}", version_folder, kManifestFile), error);
}

/// Every file in the folder with size and checksum, made durable.
absl::StatusOr<std::vector<ArtifactFile>> SealFiles(const std::string& folder) {
  std::vector<ArtifactFile> files;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    ArtifactFile file;
    file.name = entry->path().filename().string();
    const std::string path = entry->path().string();
    if (!entry->is_regular_file(error) || error) {
      return absl::InvalidArgumentError(fmt::format("{} is not a plain file; artifacts are flat", path));
    }
    file.bytes = entry->file_size(error);
    if (error) break;
    RETURN_IF_ERROR(store::SyncFile(path));
    ASSIGN_OR_RETURN(file.checksum, store::ChecksumFile(path));
    files.push_back(std::move(file));
  }
  if (error) return FromError(error, "list", folder);
  std::ranges::sort(files, {}, &ArtifactFile::name);
  return files;
}

absl::Status VerifyFile(const std::string& path, const ArtifactFile& file) {
  std::error_code error;
  const uint64_t bytes = fs::file_size(path, error);
  if (error) return absl::DataLossError(fmt::format("{}: {}", file.name, error.message()));
  if (bytes != file.bytes) {
    return absl::DataLossError(fmt::format("{}: found {} bytes; expected {}", file.name, bytes, file.bytes));
  }
  ASSIGN_OR_RETURN(const std::string checksum, store::ChecksumFile(path));
  if (checksum != file.checksum) {
    return absl::DataLossError(fmt::format("{}: found checksum {}; expected {}", file.name, checksum, file.checksum));
  }
  return absl::OkStatus();
}

/// Without a manifest first, so that a removal cut short leaves an unpublished folder, not half a version.
absl::Status RemoveVersion(const std::string& version_folder) {
  std::error_code error;
  if (fs::remove(fmt::format("{}/{}", version_folder, kManifestFile), error); error) {
    return FromError(error, "remove the manifest of", version_folder);
  }
  RETURN_IF_ERROR(store::SyncFolder(version_folder));
  if (fs::remove_all(version_folder, error); error) return FromError(error, "remove", version_folder);
  return absl::OkStatus();
}

/// Creates the folder and what is above it, each durable in its parent.
absl::Status MakeFolder(const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return absl::OkStatus();
  if (folder.has_parent_path() && folder.parent_path() != folder) RETURN_IF_ERROR(MakeFolder(folder.parent_path()));
  if (fs::create_directory(folder, error); error) return FromError(error, "create", folder.string());
  return store::SyncFolder(folder.has_parent_path() ? folder.parent_path().string() : ".");
}

/// Where the manifest of a removed version stays.
std::string KeptPath(const std::string& folder, std::string_view version) {
  return fmt::format("{}/removed/{}.json", folder, version);
}

absl::Status KeepManifest(const std::string& folder, const std::string& version, uint64_t number) {
  std::error_code error;
  fs::create_directories(folder + "/removed", error);
  if (error) return FromError(error, "make", folder + "/removed");
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(fmt::format("{}/{}/{}", folder, version, kManifestFile)));
  RETURN_IF_ERROR(store::AtomicWriteFile(KeptPath(folder, version), text));
  if (number > Registry::kDescribedMax)
    fs::remove(KeptPath(folder, fmt::format("{:06}", number - Registry::kDescribedMax)), error);
  return absl::OkStatus();
}

}  // namespace

std::string Registry::Folder(std::string_view kind, std::string_view name) const {
  return fmt::format("{}/{}/{}", folder_, kind, name);
}

absl::StatusOr<std::string> Registry::Publish(std::string_view kind, std::string_view name, const Contents& contents) {
  RETURN_IF_ERROR(CheckNames(kind, name));
  absl::MutexLock lock(&publish_mutex_);
  const std::string folder = Folder(kind, name);
  ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, VersionFolders(folder));
  for (const uint64_t number : numbers) {
    if (!IsPublished(VersionFolder(folder, number))) RETURN_IF_ERROR(RemoveVersion(VersionFolder(folder, number)));
  }
  const uint64_t number = numbers.empty() ? 1 : numbers.back() + 1;
  const std::string version_folder = VersionFolder(folder, number);
  RETURN_IF_ERROR(MakeFolder(version_folder));

  const auto write = [&]() -> absl::Status {
    RETURN_IF_ERROR(contents.write(version_folder));
    Manifest manifest;
    manifest.kind = kind;
    manifest.name = name;
    manifest.version = fmt::format("{:06}", number);
    manifest.created_us = clock_->NowUs();
    manifest.inputs_json = contents.inputs_json;
    manifest.metrics = contents.metrics;
    ASSIGN_OR_RETURN(manifest.files, SealFiles(version_folder));
    ASSIGN_OR_RETURN(const std::string json, FormatManifest(manifest));
    RETURN_IF_ERROR(store::SyncFolder(version_folder));
    return store::AtomicWriteFile(fmt::format("{}/{}", version_folder, kManifestFile), json);
  };
  if (absl::Status status = write(); !status.ok()) {
    // The write's own status matters more than that of cleaning up, which the next Publish does again.
    (void)RemoveVersion(version_folder);
    return status;
  }
  return fmt::format("{:06}", number);
}

absl::StatusOr<std::vector<std::string>> Registry::Names(std::string_view kind) const {
  RETURN_IF_ERROR(CheckNames(kind, kind));
  std::vector<std::string> names;
  std::error_code error;
  const fs::path folder = fs::path(folder_) / kind;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->is_directory()) names.push_back(at->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return absl::UnavailableError(fmt::format("{}: {}", folder.string(), error.message()));
  }
  std::ranges::sort(names);
  return names;
}

absl::StatusOr<std::vector<std::string>> Registry::List(std::string_view kind, std::string_view name) const {
  RETURN_IF_ERROR(CheckNames(kind, name));
  const std::string folder = Folder(kind, name);
  ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, VersionFolders(folder));
  std::vector<std::string> versions;
  for (const uint64_t number : numbers) {
    if (IsPublished(VersionFolder(folder, number))) versions.push_back(fmt::format("{:06}", number));
  }
  return versions;
}

absl::StatusOr<Artifact> Registry::Open(std::string_view kind, std::string_view name, std::string_view version) const {
  RETURN_IF_ERROR(CheckNames(kind, name));
  const std::string title = fmt::format("{}/{}/{}", kind, name, version);
  const auto named = [&](const absl::Status& status) {
    return absl::Status(status.code(), fmt::format("{}: {}", title, std::string(status.message())));
  };
  if (!Number(version)) return absl::NotFoundError(fmt::format("{}: no such version", title));
  Artifact artifact;
  artifact.folder = fmt::format("{}/{}", Folder(kind, name), version);
  const absl::StatusOr<std::string> json = store::ReadFile(artifact.Path(kManifestFile));
  if (absl::IsNotFound(json.status())) return absl::NotFoundError(fmt::format("{}: no such version", title));
  if (!json.ok()) return named(json.status());
  absl::StatusOr<Manifest> manifest = ParseManifest(*json);
  if (!manifest.ok()) return named(manifest.status());
  artifact.manifest = *std::move(manifest);
  if (artifact.manifest.kind != kind || artifact.manifest.name != name || artifact.manifest.version != version) {
    return absl::DataLossError(fmt::format("{}: {}: it says that it is of {}/{}/{}", title, kManifestFile,
                                           artifact.manifest.kind, artifact.manifest.name, artifact.manifest.version));
  }
  for (const ArtifactFile& file : artifact.manifest.files) {
    if (absl::Status status = VerifyFile(artifact.Path(file.name), file); !status.ok()) return named(status);
  }
  return artifact;
}

absl::StatusOr<NewestArtifact> Registry::Newest(std::string_view kind, std::string_view name) const {
  ASSIGN_OR_RETURN(const std::vector<std::string> versions, List(kind, name));
  std::vector<std::string> refused;
  for (size_t i = versions.size(); i-- > 0;) {
    absl::StatusOr<Artifact> artifact = Open(kind, name, versions[i]);
    if (artifact.ok()) return NewestArtifact{*std::move(artifact), std::move(refused)};
    refused.emplace_back(artifact.status().message());
  }
  if (refused.empty()) return absl::NotFoundError(fmt::format("{}/{}: nothing is published", kind, name));
  return absl::NotFoundError(fmt::format("{}/{}: no version passes: {}", kind, name, fmt::join(refused, "; ")));
}

absl::StatusOr<Manifest> Registry::Describe(std::string_view kind, std::string_view name,
                                            std::string_view version) const {
  RETURN_IF_ERROR(CheckNames(kind, name));
  if (!Number(version)) return absl::NotFoundError(fmt::format("{}/{}: no version '{}'", kind, name, version));
  const std::string folder = Folder(kind, name);
  for (const std::string& path : {fmt::format("{}/{}/{}", folder, version, kManifestFile), KeptPath(folder, version)}) {
    const auto text = store::ReadFile(path);
    if (text.ok()) return ParseManifest(*text);
    if (!absl::IsNotFound(text.status())) return text.status();
  }
  return absl::NotFoundError(fmt::format("{}/{}/{}: no such version was published", kind, name, version));
}

absl::StatusOr<uint32_t> Registry::Prune(std::string_view kind, std::string_view name, uint32_t keep) {
  // The newest one stays, or its number would be given twice.
  if (keep == 0) return absl::InvalidArgumentError("keep: found 0; expected at least 1");
  absl::MutexLock lock(&publish_mutex_);
  ASSIGN_OR_RETURN(const std::vector<std::string> versions, List(kind, name));
  const size_t removed = versions.size() > keep ? versions.size() - keep : 0;
  for (size_t i = 0; i < removed; ++i) {
    const std::string folder = Folder(kind, name);
    RETURN_IF_ERROR(KeepManifest(folder, versions[i], *Number(versions[i])));
    RETURN_IF_ERROR(RemoveVersion(fmt::format("{}/{}", folder, versions[i])));
  }
  return static_cast<uint32_t>(removed);
}

}  // namespace bowerbird::registry
