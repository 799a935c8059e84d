#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace bowerbird::server {

/// What somebody who may administer did.
struct AuditEntry {
  int64_t time_us = 0;
  std::string who;     ///< "key_0123456789ab (ops)", "uid 1000" (by the folder's socket or in a command), "loopback"
  std::string app;     ///< empty: the process
  std::string action;  ///< "POST /v1/apps"
  std::string detail;  ///< "app shop"; never a secret
  int status = 0;      ///< of the answer, as HTTP has it
};

/// DIR/audit.log: one JSON object a line, only ever appended to, owner-readable.
///
/// Threads  any.
/// Errors   Unavailable: the file cannot be written or read. A line that does not read is passed over.
class AuditLog {
 public:
  /// The file is made, or gone on with, at the first Append.
  explicit AuditLog(std::string path) : path_(std::move(path)) {}
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  /// Durable on return.
  absl::Status Append(const AuditEntry& entry);
  /// The newest `count` entries of a file, oldest of them first. Absent: none.
  static absl::StatusOr<std::vector<AuditEntry>> Read(const std::string& path, size_t count);
  static std::string ToJson(const AuditEntry& entry);

 private:
  absl::Status Open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  absl::Mutex mutex_;
  int file_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace bowerbird::server
