// Parquet is read by a plugin, opened when first asked for. Arrow's libraries carry other versions of libraries that
// this program uses (simdjson among them) and export their symbols: linked beside each other one would call into the
// other. Opened locally and bound to itself first, the plugin keeps its own. docs/decisions/0005-parquet-plugin.md.
#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <vector>

#include "ingest/row_source.h"

namespace bowerbird::ingest {
namespace {

using OpenFunction = RowSource* (*)(const char* path, absl::Status* status);

/// Beside the program, in the package's folder, or, for a build with tests, where the build left it.
absl::StatusOr<OpenFunction> LoadPlugin() {
  constexpr char kName[] = "libbowerbird_parquet.so";
  std::error_code ignored;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  std::vector<std::filesystem::path> folders = {program, program / "../lib/bowerbird"};
#ifdef BOWERBIRD_PLUGIN_FOLDER
  folders.emplace_back(BOWERBIRD_PLUGIN_FOLDER);
#endif
  for (const std::filesystem::path& folder : folders) {
    const std::filesystem::path file = folder / kName;
    if (!std::filesystem::exists(file)) continue;
    void* plugin = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (plugin == nullptr) return absl::UnavailableError(fmt::format("{}: {}", file.string(), dlerror()));
    void* symbol = dlsym(plugin, "bowerbird_open_parquet");
    if (symbol == nullptr) return absl::UnavailableError(fmt::format("{}: {}", file.string(), dlerror()));
    return reinterpret_cast<OpenFunction>(symbol);
  }
  return absl::UnavailableError(fmt::format("reading Parquet needs {}, which is not beside the program", kName));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RowSource>> OpenParquet(const std::string& path) {
  static const absl::StatusOr<OpenFunction> open = LoadPlugin();
  if (!open.ok()) return open.status();
  absl::Status status;
  std::unique_ptr<RowSource> source((*open)(path.c_str(), &status));
  if (!status.ok()) return status;
  return source;
}

}  // namespace bowerbird::ingest
