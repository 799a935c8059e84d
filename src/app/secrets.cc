#include "app/secrets.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/rng.h"
#include "base/status_macros.h"
#include "bowerbird/v1/item.pb.h"
#include "catalog/keys.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

constexpr std::string_view kMagic = "bowerbird-secret-1\n";
constexpr size_t kCursorKeyBytes = 32;
/// Begins the key of the catalog's record that names a secret; no item's id has its first byte.
constexpr std::string_view kClaimKey = "\xffsecret/";
constexpr size_t kReadRecords = 256;
constexpr size_t kReadBytes = 1u << 20;

/// Whether the log's first record that tells was made with `secrets`; nothing where no record tells.
absl::StatusOr<std::optional<bool>> MadeWith(const Secrets& secrets, const log::EventLog& log) {
  const catalog::KeyHasher hasher(secrets.hash_seed);
  ASSIGN_OR_RETURN(log::Offset at, log.BeginOffset(log::Topic::kCatalog, 0));
  while (true) {
    ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(log::Topic::kCatalog, 0, at, kReadRecords, kReadBytes));
    for (const log::Record& record : read.records) {
      if (record.key.starts_with(kClaimKey)) {
        return std::optional(record.key.substr(kClaimKey.size()) == secrets.Fingerprint());
      }
      v1::CatalogRecord change;
      if (!change.ParseFromString(record.value)) continue;
      if (change.has_item()) return std::optional(hasher.Item(change.item().id()).value == change.item_key());
      if (change.has_deleted()) return std::optional(hasher.Item(change.deleted()).value == change.item_key());
    }
    if (read.records.empty()) return std::optional<bool>();
    at = read.next_offset;
  }
}

/// Puts a new secret at `path`, unless somebody else is first.
absl::Status MakeOnce(const std::string& path) {
  const std::string own = fmt::format("{}.{}", path, base::HexEncode(base::RandomBytes(8)));
  RETURN_IF_ERROR(Secrets::LoadOrCreate(own).status());
  const int error = link(own.c_str(), path.c_str()) == 0 ? 0 : errno;
  unlink(own.c_str());
  if (error == 0 || error == EEXIST) return store::SyncFolder(std::filesystem::path(path).parent_path().string());
  return absl::UnavailableError(fmt::format("{}: {}", path, std::strerror(error)));
}

}  // namespace

absl::Status Secrets::WriteGuessable(const std::string& path, uint64_t seed) {
  base::Rng rng(seed);
  std::string bytes(kMagic);
  for (size_t i = 0; i < sizeof(base::HashSeed) + kCursorKeyBytes; ++i) bytes += static_cast<char>(rng.Below(256));
  return store::AtomicWriteFile(path, bytes, store::Privacy::kSecret);
}

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

std::string Secrets::Fingerprint() const {
  const std::string_view seed(reinterpret_cast<const char*>(hash_seed.data()), hash_seed.size());
  return base::Sha256Hex(fmt::format("bowerbird fingerprint\n{}{}", seed, cursor_key)).substr(0, 32);
}

absl::StatusOr<Secrets> SharedSecrets(const std::string& path, const std::string& shared, const std::string& app,
                                      const log::EventLog& log) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return Secrets::LoadOrCreate(path);
  if (!shared.empty()) {
    const std::string common = fmt::format("{}/{}", shared, app);
    std::filesystem::create_directories(shared, error);
    if (!std::filesystem::exists(common, error)) RETURN_IF_ERROR(MakeOnce(common));
    ASSIGN_OR_RETURN(const std::string bytes, store::ReadFile(common));
    RETURN_IF_ERROR(store::AtomicWriteFile(path, bytes, store::Privacy::kSecret));
    return Secrets::LoadOrCreate(path);
  }
  ASSIGN_OR_RETURN(const std::optional<bool> begun, MadeWith(Secrets(), log));
  if (begun.has_value()) {
    return absl::FailedPreconditionError(
        fmt::format("{}: found no secret, and the log was begun by another node; copy the file from there, or let "
                    "cluster.secrets in server.toml name a folder that the nodes share",
                    path));
  }
  return Secrets::LoadOrCreate(path);
}

absl::Status CheckSecrets(const Secrets& secrets, bool claim, log::EventLog* log) {
  ASSIGN_OR_RETURN(std::optional<bool> same, MadeWith(secrets, *log));
  if (!same.has_value() && claim) {
    v1::CatalogRecord record;
    record.set_schema(1);
    RETURN_IF_ERROR(log->Append({{log::Topic::kCatalog, 0, std::string(kClaimKey) + secrets.Fingerprint(),
                                  record.SerializeAsString()}})
                        .status());
    ASSIGN_OR_RETURN(same, MadeWith(secrets, *log));
  }
  if (same.value_or(true)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "secret: the keys in the log were made with another one; copy apps/NAME/secret from the node that began the log");
}

}  // namespace bowerbird::app
