#include "lake/program_folder.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <vector>

namespace bowerbird::lake {

absl::StatusOr<std::string> BesideProgram(const std::string& name) {
  std::error_code ignored;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  std::vector<std::filesystem::path> folders = {program, program / "../lib/bowerbird", program / ".."};
#ifdef BOWERBIRD_PLUGIN_FOLDER
  folders.emplace_back(BOWERBIRD_PLUGIN_FOLDER);
#endif
  for (const std::filesystem::path& folder : folders) {
    if (std::filesystem::exists(folder / name, ignored)) return (folder / name).string();
  }
  return absl::UnavailableError(fmt::format("the lake needs {}, which is not beside the program", name));
}

}  // namespace bowerbird::lake
