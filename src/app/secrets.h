#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/hash.h"
#include "log/event_log.h"

namespace bowerbird::app {

/// What an app must not tell: the seed of its keys and the key that signs cursors. Made once, kept in FOLDER/secret
/// (mode 0600). Losing the file loses every key: stored state would not be found again.
struct Secrets {
  base::HashSeed hash_seed{};
  std::string cursor_key;  ///< 32 bytes
  /// Reads `path`, or makes it when it is absent. DataLoss: the file is not one of ours.
  static absl::StatusOr<Secrets> LoadOrCreate(const std::string& path);
  /// Writes `path` with a secret that everybody can make: for simulations, whose runs are to be equal.
  static absl::Status WriteGuessable(const std::string& path, uint64_t seed);
  /// Tells two secrets apart without telling either: 32 hexadecimal digits.
  std::string Fingerprint() const;
};

/// The secret of an app whose log other nodes use, too: that of `path`; without one, the cluster's from the folder
/// `shared` ("": none), where whoever comes first makes it. FailedPrecondition: there is none, and the log was begun
/// with another.
absl::StatusOr<Secrets> SharedSecrets(const std::string& path, const std::string& shared, const std::string& app,
                                      const log::EventLog& log);

/// Whether the keys in the log are of these secrets: by its first item, or by what the first node wrote there. A log
/// that holds neither is claimed for them when `claim` says so; of several that do so at once the first in the log is
/// right. FailedPrecondition: they are other secrets.
absl::Status CheckSecrets(const Secrets& secrets, bool claim, log::EventLog* log);

}  // namespace bowerbird::app
