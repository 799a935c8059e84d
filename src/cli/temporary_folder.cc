#include "cli/temporary_folder.h"

#include <stdlib.h>

#include <filesystem>

namespace bowerbird::cli {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder(const std::string& given, const std::string& name)
    : path_(given), temporary_(given.empty()) {
  if (!temporary_) return;
  path_ = (fs::temp_directory_path() / (name + "-XXXXXX")).string();
  if (mkdtemp(path_.data()) == nullptr) path_.clear();
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (temporary_ && !path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace bowerbird::cli
