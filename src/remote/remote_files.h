#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bowerbird::remote {

/// Files kept where they outlive this machine's disk: below a folder that is mounted from elsewhere, or in a bucket of
/// an S3-compatible store. Names are paths below it, such as "default/node-1-of-3/000001/manifest.json".
///
/// Threads  any.
/// Errors   NotFound: no such file; InvalidArgument: a name that leads outside; Unavailable: the store does not answer
/// or
///          is full.
class RemoteFiles {
 public:
  /// `where` is a path, or "s3://BUCKET/PREFIX", perhaps with "?region=...&endpoint_override=HOST:PORT&scheme=http" for
  /// a store that is not Amazon's; who we are to it is where its tools look for it (AWS_ACCESS_KEY_ID and its kin).
  /// InvalidArgument: neither; Unavailable: the store cannot be reached.
  static absl::StatusOr<std::unique_ptr<RemoteFiles>> Open(const std::string& where);
  virtual ~RemoteFiles() = default;

  /// Puts a copy of the file at `path` under `name`, whole and durable, or not at all.
  virtual absl::Status Put(const std::string& path, const std::string& name) = 0;
  virtual absl::Status PutText(std::string_view text, const std::string& name) = 0;
  /// Copies to `path`, which is written anew.
  virtual absl::Status Get(const std::string& name, const std::string& path) const = 0;
  /// Of a small file.
  virtual absl::StatusOr<std::string> GetText(const std::string& name) const = 0;
  /// The names of what is directly in `folder`: files, and folders that hold any; ascending. Nothing for a folder that
  /// is not there.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& folder) const = 0;
  /// Everything below `folder`; nothing to do where there is nothing.
  virtual absl::Status DeleteFolder(const std::string& folder) = 0;
};

/// At the end of a process, when no RemoteFiles is left: ends what some run on. Idempotent.
void EndRemoteFiles();

/// Whether a name stays below where the files are.
absl::Status CheckName(std::string_view name);

}  // namespace bowerbird::remote
