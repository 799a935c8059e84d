#include <dlfcn.h>
#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/status_macros.h"
#include "remote/s3_plugin.h"

namespace bowerbird::remote {
namespace {

namespace fs = std::filesystem;

constexpr char kPlugin[] = "libbowerbird_s3.so";
std::atomic<S3Door*> open_door = nullptr;

absl::StatusOr<std::string> Find() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  std::vector<fs::path> folders = {program, program / "../lib/bowerbird", program / ".."};
#ifdef BOWERBIRD_PLUGIN_FOLDER
  folders.emplace_back(BOWERBIRD_PLUGIN_FOLDER);
#endif
  for (const fs::path& folder : folders) {
    if (fs::exists(folder / kPlugin, ignored)) return (folder / kPlugin).string();
  }
  return absl::UnavailableError(fmt::format("s3:// needs {}, which is not beside the program", kPlugin));
}

absl::StatusOr<S3Door*> Load() {
  ASSIGN_OR_RETURN(const std::string file, Find());
  // Not bound to itself first, as Parquet's plugin is: it frees what libc gave it (strdup, getaddrinfo), so that both
  // have to use the program's allocator. What it carries of other libraries is hidden in it.
  void* plugin = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* symbol = plugin == nullptr ? nullptr : dlsym(plugin, "bowerbird_s3_door");
  if (symbol == nullptr) return absl::UnavailableError(fmt::format("{}: {}", file, dlerror()));
  S3Door* door = reinterpret_cast<S3Door* (*)()>(symbol)();
  open_door = door;
  return door;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RemoteFiles>> OpenS3(const std::string& uri) {
  static const absl::StatusOr<S3Door*> door = Load();
  RETURN_IF_ERROR(door.status());
  return (*door)->Open(uri);
}

void EndRemoteFiles() {
  if (S3Door* door = open_door.exchange(nullptr); door != nullptr) door->End();
}

}  // namespace bowerbird::remote
