#include "app/secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/status_macros.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

constexpr std::string_view kMagic = "bowerbird-secret-1\n";
constexpr size_t kCursorKeyBytes = 32;

}  // namespace

absl::StatusOr<Secrets> Secrets::LoadOrCreate(const std::string& path) {
  const size_t size = kMagic.size() + sizeof(base::HashSeed) + kCursorKeyBytes;
  if (!std::filesystem::exists(path)) {
    const std::string bytes = std::string(kMagic) + base::RandomBytes(size - kMagic.size());
    RETURN_IF_ERROR(store::AtomicWriteFile(path, bytes, store::Privacy::kSecret));
  }
  ASSIGN_OR_RETURN(const std::string bytes, store::ReadFile(path));
  if (bytes.size() != size || !bytes.starts_with(kMagic)) {
    return absl::DataLossError(
        fmt::format("{}: found {} bytes without our header; restore the file from a backup", path, bytes.size()));
  }
  Secrets secrets;
  std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(kMagic.size()), sizeof(base::HashSeed), secrets.hash_seed.begin());
  secrets.cursor_key = bytes.substr(kMagic.size() + sizeof(base::HashSeed));
  return secrets;
}

}  // namespace bowerbird::app
