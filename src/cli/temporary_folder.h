#pragma once

#include <string>

namespace bowerbird::cli {

/// The caller's folder, kept; without one a folder of its own under the system's temporary ones, removed at the end.
class TemporaryFolder {
 public:
  /// `name` begins the name of the folder that is made.
  TemporaryFolder(const std::string& given, const std::string& name);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  /// Empty when none can be made.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  const bool temporary_;
};

}  // namespace bowerbird::cli
