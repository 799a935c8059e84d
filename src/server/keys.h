#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/string_map.h"

namespace bowerbird::server {

struct ApiKey {
  std::string id;    ///< public, names the key in lists and logs
  std::string name;  ///< what people call it
  std::string app;   ///< the one that it opens; empty for an operator's, which opens every app
  std::vector<std::string> scopes;
  std::string hash;  ///< SHA-256 of the secret, hexadecimal: the secret has 256 random bits, so a fast hash is right
  int64_t created_us = 0;
  /// An operator's key allows everything, an admin's everything but "operator".
  bool Allows(std::string_view scope) const;
};

/// The API keys of a folder: DIR/keys.json, owner-readable. A key is shown once, when made; only its hash is stored.
///
/// Threads  any. Find: one hash and one lookup under a reader lock.
class Keys {
 public:
  static constexpr std::string_view kScopes[] = {"collect", "serve", "admin", "operator"};
  /// An absent file is an empty set. DataLoss: the file is not what we wrote.
  static absl::StatusOr<std::unique_ptr<Keys>> Open(const std::string& path);
  /// The secret, "bb_<64 hexadecimal digits>", never to be had again. InvalidArgument: an unknown scope, or none; no
  /// `app` for a key that is not an operator's.
  absl::StatusOr<std::string> Create(std::string_view name, std::string_view app,
                                     const std::vector<std::string>& scopes, int64_t now_us);
  absl::Status Revoke(std::string_view id);
  /// Ends every key of an app: one that is made later under its name must not be open to them.
  absl::Status RevokeApp(std::string_view app);
  std::vector<ApiKey> List() const;
  /// Null for an unknown secret. A file that another process changed is read again, at most once a second.
  std::shared_ptr<const ApiKey> Find(std::string_view secret);

 private:
  using ByHash = base::StringMap<std::shared_ptr<const ApiKey>>;
  static absl::StatusOr<ByHash> Read(const std::string& path);
  int64_t ModifiedNs() const;
  void Refresh();
  explicit Keys(std::string path) : path_(std::move(path)) {}
  absl::Status Save() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  mutable absl::Mutex mutex_;
  ByHash by_hash_ ABSL_GUARDED_BY(mutex_);
  int64_t modified_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<int64_t> checked_us_ = 0;
};

}  // namespace bowerbird::server
