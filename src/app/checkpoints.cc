#include "app/checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "registry/manifest.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;

constexpr char kKind[] = "state";
constexpr size_t kVersionDigits = 20;  ///< microseconds since the epoch

std::string Inputs(const Checkpoints::Of& of) {
  std::string text;
  base::JsonWriter(&text)
      .BeginObject()
      .Key("node")
      .Uint(of.node.index)
      .Key("nodes")
      .Uint(of.node.count)
      .Key("fingerprint")
      .String(of.fingerprint)
      .EndObject();
  return text;
}

absl::Status Failed(const std::string& path, const std::error_code& error) {
  return absl::UnavailableError(fmt::format("{}: {}", path, error.message()));
}

/// The files of a folder, with sizes and checksums, by name.
absl::StatusOr<std::vector<registry::ArtifactFile>> Describe(const std::string& folder) {
  std::vector<registry::ArtifactFile> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator(); at.increment(error)) {
    registry::ArtifactFile& file = files.emplace_back();
    file.name = at->path().filename().string();
    file.bytes = fs::file_size(at->path(), error);
    if (error) break;
    ASSIGN_OR_RETURN(file.checksum, store::ChecksumFile(at->path().string()));
  }
  if (error) return Failed(folder, error);
  std::ranges::sort(files, {}, &registry::ArtifactFile::name);
  return files;
}

}  // namespace

Checkpoints::Checkpoints(Of of, remote::RemoteFiles* files, const base::Clock* clock)
    : of_(std::move(of)),
      folder_(fmt::format("{}/node-{}-of-{}", of_.app, of_.node.index, of_.node.count)),
      files_(files),
      clock_(clock) {}

absl::StatusOr<CheckpointReport> Checkpoints::Take(const std::function<absl::Status(const std::string& to)>& copy,
                                                   const std::string& scratch, uint32_t kept,
                                                   const std::function<absl::Status()>& go_on) {
  std::error_code error;
  fs::remove_all(scratch, error);
  struct Cleanup {
    const std::string& folder;
    ~Cleanup() {
      std::error_code ignored;
      fs::remove_all(folder, ignored);
    }
  } cleanup{scratch};
  ASSIGN_OR_RETURN(const std::vector<std::string> versions, Versions());
  const int64_t now_us = clock_->NowUs();
  auto number = static_cast<uint64_t>(now_us);
  // A clock that went back must not make an old one of a new one.
  if (uint64_t newest = 0; !versions.empty() && absl::SimpleAtoi(versions.back(), &newest)) {
    number = std::max(number, newest + 1);
  }
  CheckpointReport report;
  report.version = fmt::format("{:0{}}", number, kVersionDigits);
  RETURN_IF_ERROR(copy(scratch));
  registry::Manifest manifest;
  manifest.kind = kKind;
  manifest.name = of_.app;
  manifest.version = report.version;
  manifest.created_us = now_us;
  manifest.inputs_json = Inputs(of_);
  ASSIGN_OR_RETURN(manifest.files, Describe(scratch));
  for (const registry::ArtifactFile& file : manifest.files) {
    RETURN_IF_ERROR(go_on());
    RETURN_IF_ERROR(
        files_->Put(scratch + "/" + file.name, fmt::format("{}/{}/{}", folder_, report.version, file.name)));
    ++report.files;
    report.bytes += file.bytes;
  }
  ASSIGN_OR_RETURN(const std::string text, registry::FormatManifest(manifest));
  RETURN_IF_ERROR(files_->PutText(text, fmt::format("{}/{}/{}", folder_, report.version, registry::kManifestFile)));
  RETURN_IF_ERROR(Prune(kept));
  return report;
}

absl::StatusOr<std::vector<std::string>> Checkpoints::Versions() const {
  ASSIGN_OR_RETURN(std::vector<std::string> names, files_->List(folder_));
  std::erase_if(names, [](const std::string& name) {
    return name.size() != kVersionDigits || name.find_first_not_of("0123456789") != std::string::npos;
  });
  return names;
}

absl::Status Checkpoints::Prune(uint32_t kept) {
  ASSIGN_OR_RETURN(const std::vector<std::string> versions, Versions());
  uint32_t whole = 0;
  for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
    const std::string folder = fmt::format("{}/{}", folder_, *version);
    ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(folder));
    const bool committed = std::ranges::find(names, registry::kManifestFile) != names.end();
    if (committed && whole < kept) {
      ++whole;
      continue;
    }
    // What was not finished, and what is older than the kept ones. The newest is finished: it was just made.
    RETURN_IF_ERROR(files_->DeleteFolder(folder));
  }
  return absl::OkStatus();
}

absl::StatusOr<CheckpointReport> Checkpoints::Restore(const std::string& dir,
                                                      const std::function<void(const absl::Status&)>& refused) const {
  ASSIGN_OR_RETURN(const std::vector<std::string> versions, Versions());
  const std::string half = dir + ".restoring";
  for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
    std::error_code error;
    fs::remove_all(half, error);
    fs::create_directories(half, error);
    if (error) return Failed(half, error);
    absl::StatusOr<CheckpointReport> fetched = Fetch(*version, half);
    if (fetched.ok()) {
      fs::rename(half, dir, error);
      if (error) return Failed(dir, error);
      RETURN_IF_ERROR(store::SyncFolder(fs::path(dir).parent_path().string()));
      return fetched;
    }
    fs::remove_all(half, error);
    if (absl::IsUnavailable(fetched.status())) return fetched;
    // A folder without a manifest is one that was not finished.
    if (!absl::IsNotFound(fetched.status())) {
      refused(absl::Status(fetched.status().code(), fmt::format("checkpoint {}/{}: {}", folder_, *version,
                                                                std::string(fetched.status().message()))));
    }
  }
  return absl::NotFoundError(fmt::format("{}: holds no whole checkpoint", folder_));
}

absl::StatusOr<CheckpointReport> Checkpoints::Fetch(const std::string& version, const std::string& dir) const {
  ASSIGN_OR_RETURN(const std::string text,
                   files_->GetText(fmt::format("{}/{}/{}", folder_, version, registry::kManifestFile)));
  ASSIGN_OR_RETURN(const registry::Manifest manifest, registry::ParseManifest(text));
  if (manifest.kind != kKind || manifest.name != of_.app || manifest.version != version ||
      manifest.inputs_json != Inputs(of_)) {
    return absl::FailedPreconditionError(fmt::format("found a checkpoint of {}/{} {}; expected one of app {}, {}",
                                                     manifest.kind, manifest.name, manifest.inputs_json, of_.app,
                                                     Inputs(of_)));
  }
  CheckpointReport report;
  report.version = version;
  for (const registry::ArtifactFile& file : manifest.files) {
    const std::string path = dir + "/" + file.name;
    const absl::Status got = files_->Get(fmt::format("{}/{}/{}", folder_, version, file.name), path);
    if (absl::IsNotFound(got)) return absl::DataLossError(fmt::format("{}: it is missing", file.name));
    RETURN_IF_ERROR(got);
    std::error_code error;
    const uint64_t bytes = fs::file_size(path, error);
    if (error) return Failed(path, error);
    ASSIGN_OR_RETURN(const std::string checksum, store::ChecksumFile(path));
    if (bytes != file.bytes || checksum != file.checksum) {
      return absl::DataLossError(fmt::format("{}: it is damaged: found {} bytes with checksum {}; expected {} with {}",
                                             file.name, bytes, checksum, file.bytes, file.checksum));
    }
    RETURN_IF_ERROR(store::SyncFile(path));
    ++report.files;
    report.bytes += bytes;
  }
  RETURN_IF_ERROR(store::SyncFolder(dir));
  return report;
}

}  // namespace bowerbird::app
