#include "remote/remote_files.h"

#include <fmt/format.h>

#include <utility>

#include "remote/folder_files.h"
#include "remote/s3_plugin.h"

namespace bowerbird::remote {

absl::StatusOr<std::unique_ptr<RemoteFiles>> RemoteFiles::Open(const std::string& where) {
  const size_t scheme = where.find("://");
  if (scheme == std::string::npos && !where.empty()) return std::make_unique<FolderFiles>(where);
  if (where.starts_with("s3://")) return OpenS3(where);
  return absl::InvalidArgumentError(fmt::format("found \"{}\"; expected a folder, or \"s3://BUCKET/PREFIX\"", where));
}

}  // namespace bowerbird::remote
