#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bowerbird::store {

/// Whole files and mapped files. Every function names the path and what the system said in its message.
///
/// Errors  NotFound: no such file; PermissionDenied; Unavailable: the disk is full or fails; Internal: anything else.

absl::StatusOr<std::string> ReadFile(const std::string& path);

/// Who may read a file: everybody, or its owner alone, from its first byte on.
enum class Privacy : uint8_t { kPublic, kSecret };

/// Replaces `path` as a whole: whoever reads it, also after a crash, sees the old bytes or the new ones. Durable on
/// return. Writes `path`.tmp, syncs it, renames it, syncs the folder. One writer a path.
absl::Status AtomicWriteFile(const std::string& path, std::string_view bytes, Privacy privacy = Privacy::kPublic);

/// Makes the bytes of a file that is already written durable.
absl::Status SyncFile(const std::string& path);
/// Makes creations, renames and removals inside `folder` durable.
absl::Status SyncFolder(const std::string& folder);

/// XXH3-64 of the file's bytes as 16 lower-case hexadecimal digits; equal to base::Hash64 of the same bytes.
/// Cost  one sequential read, 1 MiB of memory.
absl::StatusOr<std::string> ChecksumFile(const std::string& path);

/// A file's bytes, mapped read-only until this object goes. The file must not be shortened meanwhile (the kernel would
/// end the process): published files are never written again.
///
/// Threads  immutable; any thread.
class MappedFile {
 public:
  /// An empty file maps to empty bytes.
  static absl::StatusOr<MappedFile> Open(const std::string& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace bowerbird::store
