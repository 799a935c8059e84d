#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "remote/remote_files.h"

namespace bowerbird::remote {

/// RemoteFiles below a folder of a file system.
///
/// Data     a file is written beside its place and renamed into it. One writer a name.
class FolderFiles final : public RemoteFiles {
 public:
  explicit FolderFiles(std::string root) : root_(std::move(root)) {}

  absl::Status Put(const std::string& path, const std::string& name) override;
  absl::Status PutText(std::string_view text, const std::string& name) override;
  absl::Status Get(const std::string& name, const std::string& path) const override;
  absl::StatusOr<std::string> GetText(const std::string& name) const override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) const override;
  absl::Status DeleteFolder(const std::string& folder) override;

 private:
  absl::StatusOr<std::string> PlaceFor(const std::string& name) const;

  const std::string root_;
};

}  // namespace bowerbird::remote
