#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "app/node.h"
#include "base/clock.h"
#include "remote/remote_files.h"

namespace bowerbird::app {

struct CheckpointReport {
  std::string version;
  uint64_t files = 0, bytes = 0;
};

/// Copies of one app's state on one node, kept where they outlive the node's disk: docs/formats/checkpoint.md. Each
/// holds users, item counters and the offsets that they are folded to, so that a state that is made from one goes on
/// from there.
///
/// Data     APP/node-I-of-N/VERSION/: the files, then manifest.json, whose appearance is the commit. Versions ascend.
/// Threads  one at a time.
/// Errors   Unavailable: the store or the disk; nothing of the version is taken for a checkpoint then.
class Checkpoints {
 public:
  struct Of {
    std::string app;
    Node node;
    std::string fingerprint;  ///< of the app's secret
  };
  /// `files` and `clock` outlive it.
  Checkpoints(Of of, remote::RemoteFiles* files, const base::Clock* clock);

  /// Has `copy` write the state into the new folder `scratch`, flat, and puts that away; `scratch` is gone afterwards.
  /// Keeps the newest `kept`. `go_on` is asked between files, and a status that is not OK ends it.
  absl::StatusOr<CheckpointReport> Take(const std::function<absl::Status(const std::string& to)>& copy,
                                        const std::string& scratch, uint32_t kept,
                                        const std::function<absl::Status()>& go_on);

  /// Makes the folder `dir`, which must not be there, from the newest checkpoint whose every file fits its checksum,
  /// and tells `refused` of each newer one that does not. NotFound: there is none, or none fits.
  absl::StatusOr<CheckpointReport> Restore(const std::string& dir,
                                           const std::function<void(const absl::Status&)>& refused) const;

 private:
  absl::StatusOr<std::vector<std::string>> Versions() const;
  absl::StatusOr<CheckpointReport> Fetch(const std::string& version, const std::string& dir) const;
  absl::Status Prune(uint32_t kept);

  const Of of_;
  const std::string folder_;
  remote::RemoteFiles* const files_;
  const base::Clock* const clock_;
};

}  // namespace bowerbird::app
