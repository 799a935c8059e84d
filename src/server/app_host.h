#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/clock.h"
#include "server/hosted_app.h"

namespace bowerbird::server {

/// The apps of a folder, each open by itself: one that fails to open, works hard or goes leaves the others alone.
///
/// Data     DIR/apps/NAME; what Remove took away is under DIR/removed until somebody deletes it.
/// Threads  every member from any thread. Create and Remove take turns and may take seconds; Find never waits for them.
class AppHost {
 public:
  struct Options {
    std::string dir;
    const base::Clock* clock = &base::SystemClock::Get();
    bool pipeline = true;  ///< each app trains and indexes as its config says
    /// How long requests under way may take to finish before an app is closed; see SetDrain.
    int64_t drain_us = 10'000'000;
    /// Told what went wrong in which app; from any thread, may be empty.
    std::function<void(std::string_view app, const std::string& warning)> on_warning;
  };
  struct Listed {
    std::string name;
    std::string status;          ///< "open", "failed" or "closing"
    std::string detail;          ///< why it failed
    std::string config_version;  ///< of an open one
  };
  /// What a removal left.
  struct Removed {
    std::string moved_to;  ///< empty: deleted
  };

  explicit AppHost(Options options) : options_(std::move(options)), drain_us_(options_.drain_us) {}
  /// Stops every app.
  ~AppHost();

  /// Opens every app of the folder. An app that cannot be opened is listed as failed; not an error.
  void OpenAll();
  /// Opens one app of the folder; NotFound, InvalidArgument and Unavailable as App::Open.
  absl::Status Open(const std::string& name);
  /// The app, for as long as the pointer lives. An empty name: "default", or the only one there is. NotFound: none of
  /// that name; Unavailable: it could not be opened, or is being removed.
  absl::StatusOr<std::shared_ptr<HostedApp>> Find(std::string_view name) const;
  std::vector<Listed> List() const;
  /// Whether the folder has an app of that name, open or not.
  bool Exists(std::string_view name) const;
  /// OK for an app that is open or unknown.
  absl::Status WhyFailed(std::string_view name) const;
  std::vector<std::shared_ptr<HostedApp>> OpenApps() const;

  /// How many apps Create lets a process have.
  static constexpr size_t kAppsMax = 64;
  /// Makes DIR/apps/NAME with `config_text` (empty: the starter) and opens it. InvalidArgument: a name that CheckName
  /// refuses, or every problem of the config, and nothing was made; AlreadyExists; FailedPrecondition: kAppsMax are
  /// there.
  absl::Status Create(const std::string& name, const std::string& config_text);
  /// Puts the app's config into force as it is in its folder now. An open app: as App::ReloadConfig; with `reopen`,
  /// what only changes then is in force, too: the history of added signals is folded while the app goes on; then
  /// requests under way finish, and those that come until it is open again are answered with Unavailable. An app that
  /// could not be opened is opened. True: something changed. NotFound: none of that name.
  absl::StatusOr<bool> Reload(const std::string& name, bool reopen);
  /// Takes no further request for the app, lets those under way finish, stops its jobs, closes it, and moves its folder
  /// to DIR/removed/NAME-TIME, or deletes it. Calls `before_move`, when the app is closed. NotFound: none of that name.
  /// Unavailable: requests outlasted drain_us; the app stays closed to new ones, and another call goes on waiting.
  absl::StatusOr<Removed> Remove(const std::string& name, bool purge,
                                 const std::function<absl::Status()>& before_move = nullptr);

  void SetDrain(int64_t drain_us) { drain_us_ = drain_us; }
  /// The largest body that any open app takes; at least what making an app may send.
  uint64_t body_bytes_max() const { return body_bytes_max_; }
  /// No job of any app begins any more.
  void CancelJobs();
  /// Stops every app: nothing else may be called afterwards. Idempotent.
  void Stop();

  /// 1 to 64 of a-z, 0-9, '-' and '_', the first of them a letter or digit.
  static absl::Status CheckName(std::string_view name);
  /// DIR/apps/NAME to DIR/removed/NAME-TIME, durably; deleted from there when `purge`.
  static absl::StatusOr<Removed> MoveAway(const std::string& dir, const std::string& name, bool purge, int64_t now_us);

 private:
  struct Entry {
    absl::Status status;  ///< why it is not open
    bool closing = false;
    std::unique_ptr<HostedApp> app;
    /// What Find hands out: owns nothing, and says when the last one is gone.
    std::shared_ptr<HostedApp> handed_out;
    std::shared_ptr<absl::Notification> unused;
  };
  static constexpr uint64_t kBodyBytesMin = 1u << 20;
  /// Takes no further request for the app, waits for those under way, and closes it. Its entry stays, as closing.
  absl::Status CloseLocked(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_);
  absl::Status OpenLocked(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_);
  /// The history of signals that `wanted` adds, folded while the app serves: to open it again takes a moment then.
  absl::Status FoldSignalsAhead(const std::string& name, const config::Config& wanted) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_);
  void MeasureBodies();

  const Options options_;
  absl::Mutex changing_;  ///< held while an app is opened, made or removed; before mutex_
  mutable absl::Mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> body_bytes_max_ = kBodyBytesMin;
  std::atomic<int64_t> drain_us_;
};

}  // namespace bowerbird::server
