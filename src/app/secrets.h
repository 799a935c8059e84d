#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/hash.h"

namespace bowerbird::app {

/// What an app must not tell: the seed of its keys and the key that signs cursors. Made once, kept in FOLDER/secret
/// (mode 0600). Losing the file loses every key: stored state would not be found again.
struct Secrets {
  base::HashSeed hash_seed{};
  std::string cursor_key;  ///< 32 bytes
  /// Reads `path`, or makes it when it is absent. DataLoss: the file is not one of ours.
  static absl::StatusOr<Secrets> LoadOrCreate(const std::string& path);
};

}  // namespace bowerbird::app
