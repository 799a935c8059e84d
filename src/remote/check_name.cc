#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "remote/remote_files.h"

namespace bowerbird::remote {

absl::Status CheckName(std::string_view name) {
  const std::filesystem::path path(name);
  if (!path.empty() && !path.is_absolute() && std::ranges::none_of(path, [](const std::filesystem::path& part) {
        return part == ".." || part == "." || part.empty();
      })) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(fmt::format("remote file: found \"{}\"; expected a path that stays below", name));
}

}  // namespace bowerbird::remote
