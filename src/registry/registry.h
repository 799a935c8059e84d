#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "registry/manifest.h"

namespace bowerbird::registry {

/// One published version whose files were verified.
struct Artifact {
  Manifest manifest;
  std::string folder;
  std::string Path(std::string_view file) const { return folder + "/" + std::string(file); }
};

/// What Publish stores.
struct Contents {
  /// Writes the files into `folder`, flat. A status that is not OK takes the whole back.
  std::function<absl::Status(const std::string& folder)> write;
  std::string inputs_json = "{}";
  std::vector<std::pair<std::string, double>> metrics;
};

/// Newest and what it stepped over.
struct NewestArtifact {
  Artifact artifact;
  /// Newer versions that did not pass, newest first: "snapshot/default/000007: snapshot.bb: checksum ...".
  std::vector<std::string> refused;
};

/// Versions of artifacts as folders kind/name/version below one folder: files, then manifest.json, whose appearance is
/// the commit. A version is never written again.
///
/// Threads  any; publishing takes turns. One process owns the folder.
/// Errors   InvalidArgument: kind or name is not 1 to 64 of a-z, 0-9, '_', '-'; NotFound: no such version; DataLoss: a
///          file or the manifest does not fit, named in the message; Unavailable: the disk cannot.
class Registry {
 public:
  /// `clock` outlives it. The folder is made by the first Publish.
  Registry(std::string folder, const base::Clock* clock) : folder_(std::move(folder)), clock_(clock) {}

  /// Returns the new version once it is durable: six digits or more, one above the highest there ever was a folder for.
  /// What `write` left is gone when it or the publishing fails. Folders of earlier publishings that were killed are
  /// removed.
  absl::StatusOr<std::string> Publish(std::string_view kind, std::string_view name, const Contents& contents);

  /// The names that have a folder below the kind, in order.
  absl::StatusOr<std::vector<std::string>> Names(std::string_view kind) const;
  /// The published versions, oldest first; the files are not looked at.
  absl::StatusOr<std::vector<std::string>> List(std::string_view kind, std::string_view name) const;
  /// One version after every file's size and checksum fit. Cost: one read of the files.
  absl::StatusOr<Artifact> Open(std::string_view kind, std::string_view name, std::string_view version) const;
  /// The newest version that passes, and why newer ones did not. NotFound: none passes; the message names those
  /// refused.
  absl::StatusOr<NewestArtifact> Newest(std::string_view kind, std::string_view name) const;
  /// The manifest of a published version, or of one that Prune removed: what was served from it can still be dated. The
  /// files are not looked at. NotFound: neither; DataLoss.
  absl::StatusOr<Manifest> Describe(std::string_view kind, std::string_view name, std::string_view version) const;
  /// Removes all but the newest `keep` (at least 1) published versions; returns how many. Files that are still mapped
  /// stay readable to whoever has them.
  /// The manifests of the last kDescribedMax removed ones stay.
  static constexpr uint64_t kDescribedMax = 50'000;
  absl::StatusOr<uint32_t> Prune(std::string_view kind, std::string_view name, uint32_t keep);

 private:
  std::string Folder(std::string_view kind, std::string_view name) const;

  const std::string folder_;
  const base::Clock* const clock_;
  absl::Mutex publish_mutex_;
};

}  // namespace bowerbird::registry
