#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/app_host.h"

namespace bowerbird::server {

/// Copies of a folder: its apps (log, state, artifacts, config, secrets), server.toml, keys and audit log; and
/// backup.json, written last, with every file's size and checksum. A folder without it is no backup.
/// docs/formats/backup.md.
///
/// Errors  Unavailable: the disk cannot; the message names the file.
struct BackupReport {
  uint64_t apps = 0, files = 0, bytes = 0;
  double seconds = 0;
};

/// Backs `dir` up into `to`, which must be absent or empty, while its apps serve. FailedPrecondition: an app is not
/// open, named, with the reason; `to` is not empty.
absl::StatusOr<BackupReport> BackUp(AppHost& apps, const std::string& dir, const std::string& to);

/// Checks every file of the backup `from`, then copies it to `dir`, which must be absent or empty, and appears whole or
/// not at all. DataLoss: a file is missing or damaged, named; nothing was made. NotFound: `from` is no backup.
absl::StatusOr<BackupReport> Restore(const std::string& from, const std::string& dir);

}  // namespace bowerbird::server
