#include "log/durable_mark.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "base/hash.h"
#include "fmt/format.h"

namespace bowerbird::log {
namespace {

constexpr size_t kPageBytes = 4096;

uint64_t HashOf(uint64_t sequence) {
  return base::Hash64(std::string_view(reinterpret_cast<const char*>(&sequence), sizeof(sequence)));
}

absl::Status Failed(std::string_view doing, const std::string& path, int error) {
  return absl::UnavailableError(fmt::format("{} {}: {}", doing, path, std::generic_category().message(error)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DurableMark>> DurableMark::Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return Failed("open", path, errno);
  // Allocated, not only sized: a store into a hole of a full disk would end the process.
  const int error = ::posix_fallocate(fd, 0, kPageBytes);
  void* page = error == 0 ? ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  const int map_error = errno;
  ::close(fd);
  if (page == MAP_FAILED) return Failed("map", path, error != 0 ? error : map_error);
  return std::unique_ptr<DurableMark>(new DurableMark(static_cast<uint64_t*>(page)));
}

DurableMark::~DurableMark() { ::munmap(page_, kPageBytes); }

std::optional<uint64_t> DurableMark::Get() const {
  const uint64_t sequence = page_[0];
  if (page_[1] != HashOf(sequence)) return std::nullopt;
  return sequence;
}

void DurableMark::Set(uint64_t sequence) {
  page_[0] = sequence;
  page_[1] = HashOf(sequence);
}

}  // namespace bowerbird::log
