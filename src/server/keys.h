#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/string_map.h"
#include "server/token_bucket.h"

namespace bowerbird::server {

/// What a key may use of the server's time. 0: no bound.
struct Quota {
  double requests_per_second = 0;
  double events_per_second = 0;
  bool operator==(const Quota&) const = default;
};

/// What is left of it; outlives a reading of the file anew.
struct QuotaLeft {
  explicit QuotaLeft(const Quota& quota) : requests(quota.requests_per_second), events(quota.events_per_second) {}
  TokenBucket requests, events;
};

struct ApiKey {
  std::string id;    ///< public, names the key in lists and logs
  std::string name;  ///< what people call it
  std::string app;   ///< the one that it opens; empty for an operator's, which opens every app
  std::vector<std::string> scopes;
  Quota quota;
  std::string hash;  ///< SHA-256 of the secret, hexadecimal: the secret has 256 random bits, so a fast hash is right
  int64_t created_us = 0;
  std::string former_hash;          ///< of the secret before the last rotation
  int64_t former_until_us = 0;      ///< that long it is taken still
  std::shared_ptr<QuotaLeft> left;  ///< never null in a key that Find gave

  /// An operator's key allows everything, an admin's everything but "operator".
  bool Allows(std::string_view scope) const;
};

/// The API keys of a folder: DIR/keys.json, owner-readable. A secret is shown once, when made; only its hash is stored.
///
/// Threads  any. Find: one hash and one lookup under a reader lock.
class Keys {
 public:
  static constexpr std::string_view kScopes[] = {"events", "collect", "serve", "analyst", "admin", "operator", "peer"};
  static constexpr double kQuotaMax = 1e9;
  struct Wanted {
    std::string name;
    std::string app;  ///< not used for an operator's
    std::vector<std::string> scopes;
    Quota quota;
  };
  struct Made {
    ApiKey key;
    std::string secret;  ///< "bb_<64 hexadecimal digits>", never to be had again
  };

  /// An absent file is an empty set. DataLoss: the file is not what we wrote.
  static absl::StatusOr<std::unique_ptr<Keys>> Open(const std::string& path,
                                                    const base::Clock* clock = &base::SystemClock::Get());
  /// InvalidArgument: an unknown scope, or none; no app for a key that is not an operator's; a quota that is none.
  absl::StatusOr<Made> Create(const Wanted& wanted);
  /// A new secret for a key. The former one is taken for `overlap_us` more, so that clients can be changed one after
  /// another; one that was rotated out before ends now.
  absl::StatusOr<Made> Rotate(std::string_view id, int64_t overlap_us);
  absl::Status Revoke(std::string_view id);
  /// Ends every key of an app: one that is made later under its name must not be open to them.
  absl::Status RevokeApp(std::string_view app);
  std::vector<ApiKey> List() const;  ///< by id
  /// Null for an unknown secret. A file that another process changed is read again, at most once a second.
  std::shared_ptr<const ApiKey> Find(std::string_view secret);

 private:
  using ById = base::StringMap<std::shared_ptr<const ApiKey>>;
  Keys(std::string path, const base::Clock* clock) : path_(std::move(path)), clock_(clock) {}
  static absl::StatusOr<ById> Read(const std::string& path);
  /// Each write makes a new file, so that the inode tells two writes within one tick of the file system's clock apart.
  struct FileStamp {
    int64_t modified_ns = 0;
    uint64_t inode = 0;
    friend bool operator==(const FileStamp&, const FileStamp&) = default;
  };
  FileStamp Stamp() const;
  /// Whatever the stamp says: a change must not lose what another process has just written.
  void ReadAgain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RefreshNowAndThen();
  /// Takes what another process wrote; a file that does not read leaves the keys as they are.
  void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Puts `keys` into force once they are in the file.
  absl::Status Replace(ById keys) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Index() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const base::Clock* const clock_;
  mutable absl::Mutex mutex_;
  ById by_id_ ABSL_GUARDED_BY(mutex_);
  /// By the hash of a secret that may be in force, former ones too.
  base::StringMap<std::shared_ptr<const ApiKey>> by_hash_ ABSL_GUARDED_BY(mutex_);
  FileStamp stamp_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int64_t> checked_us_ = 0;
};

}  // namespace bowerbird::server
