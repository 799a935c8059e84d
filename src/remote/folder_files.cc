#include "remote/folder_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/status_macros.h"
#include "store/file.h"

namespace bowerbird::remote {
namespace {

namespace fs = std::filesystem;

absl::Status Failed(const fs::path& path, const std::error_code& error) {
  const std::string text = fmt::format("{}: {}", path.string(), error.message());
  return error == std::errc::no_such_file_or_directory ? absl::NotFoundError(text) : absl::UnavailableError(text);
}

}  // namespace

absl::StatusOr<std::string> FolderFiles::PlaceFor(const std::string& name) const {
  RETURN_IF_ERROR(CheckName(name));
  const fs::path place = fs::path(root_) / name;
  std::error_code error;
  fs::create_directories(place.parent_path(), error);
  if (error) return Failed(place.parent_path(), error);
  return place.string();
}

absl::Status FolderFiles::Put(const std::string& path, const std::string& name) {
  ASSIGN_OR_RETURN(const std::string place, PlaceFor(name));
  const std::string half = place + ".tmp";
  std::error_code error;
  fs::copy_file(path, half, fs::copy_options::overwrite_existing, error);
  if (error) return Failed(half, error);
  RETURN_IF_ERROR(store::SyncFile(half));
  fs::rename(half, place, error);
  if (error) return Failed(place, error);
  return store::SyncFolder(fs::path(place).parent_path().string());
}

absl::Status FolderFiles::PutText(std::string_view text, const std::string& name) {
  ASSIGN_OR_RETURN(const std::string place, PlaceFor(name));
  return store::AtomicWriteFile(place, text);
}

absl::Status FolderFiles::Get(const std::string& name, const std::string& path) const {
  RETURN_IF_ERROR(CheckName(name));
  std::error_code error;
  fs::copy_file(fs::path(root_) / name, path, fs::copy_options::overwrite_existing, error);
  return error ? Failed(fs::path(root_) / name, error) : absl::OkStatus();
}

absl::StatusOr<std::string> FolderFiles::GetText(const std::string& name) const {
  RETURN_IF_ERROR(CheckName(name));
  return store::ReadFile((fs::path(root_) / name).string());
}

absl::StatusOr<std::vector<std::string>> FolderFiles::List(const std::string& folder) const {
  RETURN_IF_ERROR(CheckName(folder));
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(fs::path(root_) / folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) return Failed(fs::path(root_) / folder, error);
  std::ranges::sort(names);
  return names;
}

absl::Status FolderFiles::DeleteFolder(const std::string& folder) {
  RETURN_IF_ERROR(CheckName(folder));
  std::error_code error;
  fs::remove_all(fs::path(root_) / folder, error);
  return error ? Failed(fs::path(root_) / folder, error) : absl::OkStatus();
}

}  // namespace bowerbird::remote
