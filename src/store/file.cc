#include "store/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::store {
namespace {

absl::Status FromErrno(int error, std::string_view doing, const std::string& path) {
  const std::string message = fmt::format("{} {}: {}", doing, path, std::generic_category().message(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EMFILE:
    case ENFILE:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }
  /// The error of close() counts: some file systems report a failed write only there.
  bool Close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return FromErrno(errno, "write", path);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncPath(const std::string& path, int flags) {
  FileDescriptor fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (fd.get() < 0) return FromErrno(errno, "open", path);
  if (::fsync(fd.get()) != 0) return FromErrno(errno, "fsync", path);
  return absl::OkStatus();
}

/// Up to `size` bytes; fewer only at the end of the file.
absl::StatusOr<size_t> ReadFull(int fd, char* out, size_t size, const std::string& path) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd, out + done, size - done);
    if (got < 0) {
      if (errno == EINTR) continue;
      return FromErrno(errno, "read", path);
    }
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return FromErrno(errno, "open", path);
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return FromErrno(errno, "stat", path);
  // The size is only a first guess: pseudo files say 0, and a file may grow meanwhile.
  std::string bytes;
  size_t done = 0;
  size_t room = static_cast<size_t>(std::max<int64_t>(info.st_size, 0)) + 1;
  while (true) {
    bytes.resize(done + room);
    ASSIGN_OR_RETURN(const size_t got, ReadFull(fd.get(), bytes.data() + done, room, path));
    done += got;
    if (got < room) break;
    room = done;
  }
  bytes.resize(done);
  return bytes;
}

absl::Status AtomicWriteFile(const std::string& path, std::string_view bytes, Privacy privacy) {
  const std::string temporary = path + ".tmp";
  if (privacy == Privacy::kSecret) ::unlink(temporary.c_str());  // a leftover would keep its own mode
  {
    const mode_t mode = privacy == Privacy::kSecret ? 0600 : 0644;
    FileDescriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (fd.get() < 0) return FromErrno(errno, "create", temporary);
    absl::Status status = WriteAll(fd.get(), bytes, temporary);
    if (status.ok() && ::fsync(fd.get()) != 0) status = FromErrno(errno, "fsync", temporary);
    if (!fd.Close() && status.ok()) status = FromErrno(errno, "close", temporary);
    if (!status.ok()) {
      ::unlink(temporary.c_str());
      return status;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const absl::Status status = FromErrno(errno, "rename to", path);
    ::unlink(temporary.c_str());
    return status;
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return SyncFolder(folder.empty() ? "." : folder);
}

absl::Status SyncFile(const std::string& path) { return SyncPath(path, O_RDONLY); }

absl::Status SyncFolder(const std::string& folder) { return SyncPath(folder, O_RDONLY | O_DIRECTORY); }

absl::StatusOr<std::string> ChecksumFile(const std::string& path) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return FromErrno(errno, "open", path);
  constexpr size_t kChunkBytes = 1 << 20;
  const auto chunk = std::make_unique<char[]>(kChunkBytes);
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  XXH3_64bits_reset(state.get());
  while (true) {
    ASSIGN_OR_RETURN(const size_t got, ReadFull(fd.get(), chunk.get(), kChunkBytes, path));
    XXH3_64bits_update(state.get(), chunk.get(), got);
    if (got < kChunkBytes) break;
  }
  return fmt::format("{:016x}", XXH3_64bits_digest(state.get()));
}

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return FromErrno(errno, "open", path);
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return FromErrno(errno, "stat", path);
  MappedFile file;
  if (info.st_size == 0) return file;
  void* data = ::mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return FromErrno(errno, "map", path);
  file.data_ = data;
  file.size_ = static_cast<size_t>(info.st_size);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace bowerbird::store
