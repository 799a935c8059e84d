#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "remote/remote_files.h"

namespace bowerbird::remote {

/// RemoteFiles in a bucket. Arrow, which speaks S3, stays behind a plugin, as docs/decisions/0005-parquet-plugin.md
/// says; it is loaded when first asked for. InvalidArgument: `uri` is not one; Unavailable: the plugin is not beside
/// the program.
absl::StatusOr<std::unique_ptr<RemoteFiles>> OpenS3(const std::string& uri);

/// The plugin's door.
class S3Door {
 public:
  virtual ~S3Door() = default;
  virtual absl::StatusOr<std::unique_ptr<RemoteFiles>> Open(const std::string& uri) = 0;
  /// Ends what S3 runs on, once nobody has files of it.
  virtual void End() = 0;
};

}  // namespace bowerbird::remote
