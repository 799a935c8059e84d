#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "app/checkpoints.h"
#include "app/node.h"
#include "app/rankers.h"
#include "app/secrets.h"
#include "base/clock.h"
#include "base/published.h"
#include "bowerbird/v1/peer.pb.h"
#include "bowerbird/v1/served.pb.h"
#include "catalog/catalog.h"
#include "collect/catalog_intake.h"
#include "collect/collector.h"
#include "collect/hide_overlay.h"
#include "collect/inbox_intake.h"
#include "collect/last_acknowledged.h"
#include "collect/segment_mapping.h"
#include "config/config.h"
#include "experiment/live/experiments.h"
#include "features/tables.h"
#include "forget/redact.h"
#include "forget/traces.h"
#include "index/live_index.h"
#include "lake/lake.h"
#include "lake/log_with_history.h"
#include "log/managed_log.h"
#include "registry/registry.h"
#include "serve/engine.h"
#include "state/state.h"

namespace bowerbird::app {

/// What a job made.
struct JobResult {
  std::string artifact;  ///< "cf/default", "snapshot/default"
  std::string version;
  double seconds = 0;
  std::vector<std::pair<std::string, double>> metrics;
};

struct TrainOptions {
  uint32_t factors = 0;  ///< 0: the config's
  uint32_t epochs = 0;
  /// Called with a line of progress; may be empty.
  std::function<void(const std::string&)> progress;
};

struct Gauge {
  std::string name, help;
  double value = 0;
  std::vector<std::pair<std::string, std::string>> labels;
};

/// The keys, each with both values, by which `wanted` differs from `open` in what was laid down when the app was
/// opened: the shape of the log, of state and its meaning, and of items. Empty: `wanted` can come into force at once.
std::vector<std::string> FixedWhileOpen(const config::Config& open, const config::Config& wanted);

/// One application: one config and one data folder, wired together. No globals: a process may hold several.
///
/// Data     DIR/node, where DIR is one node's of several; DIR/apps/NAME/{bowerbird.toml, secret, log, state/catalog,
/// state/events, state/exposures, artifacts, lake}; log is not there when it is in Kafka. The log is the truth; the
/// rest is made again from it. Threads  every member from any thread. Jobs run one at a time, on the caller's thread.
/// Errors   Open: NotFound without a config; InvalidArgument with every problem of the config; Unavailable when another
/// process has the folder.
class App {
 public:
  struct Options {
    std::string dir;  ///< DIR, the folder that may hold several apps
    std::string name = "default";
    const base::Clock* clock = &base::SystemClock::Get();
    bool consume = true;     ///< start the fold threads; false: folds and item tables are the caller's, by
                             ///< state(): commands that only read the log, simulated time
    bool log_served = true;  ///< append what is served to the log
    /// Told of what went wrong without stopping the App: an artifact version that was refused, a job of the pipeline or
    /// a flush that failed. From any thread, also within Open; may be empty.
    std::function<void(const std::string&)> on_warning;
  };
  static absl::StatusOr<std::unique_ptr<App>> Open(const Options& options);
  /// DIR/apps/NAME.
  static std::string Folder(const std::string& dir, const std::string& name);
  /// Makes the folder with `config_text` (config::StarterText, say) if there is no config yet; true if it did.
  static absl::StatusOr<bool> InitFolder(const std::string& dir, const std::string& name,
                                         const std::string& config_text);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// The one in force; another one after a reload.
  std::shared_ptr<const config::Config> config() const { return config_.Get(); }
  const catalog::KeyHasher& hasher() const { return hasher_; }
  log::ManagedLog& log() { return *log_; }
  /// The log with the past that has left it, as far as the lake has it: what is derived from events reads this.
  log::EventLog& history() { return *history_; }
  catalog::Catalog& catalog() { return *catalog_; }
  state::State& state() { return *state_; }
  index::LiveIndex& live() { return *live_; }
  collect::Collector& collector() { return *collector_.load(); }
  collect::CatalogIntake& catalog_intake() { return *catalog_intake_; }
  const collect::SegmentMapping& segment() const { return *segment_.load(); }
  lake::Lake& lake() { return *lake_; }
  registry::Registry& registry() { return *registry_; }
  features::Tables& features() { return *features_; }
  serve::Engine& engine() { return *engine_; }
  Rankers& rankers() { return *rankers_; }
  experiment::live::Experiments& experiments() { return *experiments_; }
  const base::Clock& clock() const { return *options_.clock; }

  /// The state that answers for an id: its own, or that of the user whom it has become, as far as is folded.
  absl::StatusOr<std::shared_ptr<const state::UserState>> AnsweringUser(catalog::UserKey key,
                                                                        std::string_view id) const;
  const Node& node() const { return node_; }
  const std::string& secret_fingerprint() const { return fingerprint_; }
  /// The node whose state has the id; this one's index where it is alone.
  uint32_t OwnerOf(std::string_view user) const;
  /// The user whom the id has become, if that user's state is on another node; empty otherwise. Of an id that is owned
  /// here.
  std::string BecomesElsewhere(std::string_view user) const;
  /// What this node has acknowledged of a user, for the owner; and the owner's side of it. `folded` is how far the
  /// owner has folded: what lies before it need not be told again.
  v1::Acknowledged AcknowledgedOf(std::string_view user) const;
  void Learn(std::string_view user, const v1::Acknowledged& acknowledged);
  void ForgetFolded(std::string_view user, log::Offset folded);
  log::Offset FoldedOf(std::string_view user) const;

  /// Whether the last acknowledged event of the user, and of the one whom the id has become, is folded.
  bool UserCurrent(std::string_view user) const;
  /// Calls `done` when it is, or when state.read_your_writes has passed; on a fold thread perhaps: `done` must not
  /// block.
  void WhenUserCurrent(std::string_view user, std::function<void()> done);

  /// Replays the events topic into iALS factors and co-occurrence lists, and publishes them as artifact cf/default.
  /// FailedPrecondition: no event to learn from. Unavailable: CancelJobs was called.
  absl::StatusOr<JobResult> TrainCf(const TrainOptions& options);
  /// Makes a snapshot of the catalog and the newest cf artifact, publishes it and swaps it in. Unavailable: CancelJobs
  /// was called.
  absl::StatusOr<JobResult> BuildIndex();
  /// Runs a job that lies outside of this class: one at a time with all others. Unavailable: CancelJobs was called.
  absl::StatusOr<JobResult> RunJob(const std::function<absl::StatusOr<JobResult>()>& job);
  /// FOLDER/bowerbird.toml as it was when the config in force was read.
  absl::StatusOr<std::string> ConfigText() const;
  /// One turn of the pipeline: trains if there are events since the last turn, indexes if it trained or the catalog has
  /// changed since the snapshot. What was published; nothing without news, so that the versions that are kept reach
  /// back as far as they can.
  absl::StatusOr<std::vector<JobResult>> RunPipeline();
  /// A turn every pipeline.interval, until CancelJobs or Stop; nothing when the interval is 0. Beside it, and below the
  /// priority of everything else, a turn of the lake every lake.interval.
  void StartPipeline();
  /// Puts a copy of the state where [cluster] of server.toml says. FailedPrecondition: it says nothing.
  absl::StatusOr<JobResult> Checkpoint();
  /// One turn of the lake: its tables are brought up to the log's end, small files joined, and what is past its
  /// retention taken out. Unavailable: the disk, or CancelJobs was called.
  absl::Status RunLake();
  /// One turn of the log's retention: what is past it is dropped once state and, where it is enabled, lake have it.
  absl::Status ApplyRetention();
  /// What a job asks between its steps. Unavailable: CancelJobs was called.
  absl::Status JobsCancelled() const;
  /// Forgets the user and every id that had become the same user: when it returns, they are unknown to state and
  /// catalog, and whatever is made again from the log leaves them out. The log, the lake and files name them until
  /// Redact. How many ids. InvalidArgument: no id; Unavailable: log or state cannot write: it may have been done, and
  /// may be asked again.
  absl::StatusOr<uint32_t> ForgetUser(std::string_view id);
  /// Takes users who were forgotten out of log, lake and files (forget/redact.h), as the pipeline does every
  /// forget.interval. Unavailable: CancelJobs was called.
  absl::StatusOr<forget::RedactReport> Redact();
  /// Where something about a user is.
  absl::StatusOr<forget::Traces> AuditUser(std::string_view id);
  /// No job begins any more; a running one ends at its next step. Does not wait.
  void CancelJobs();

  /// Reads FOLDER/bowerbird.toml again and puts it into force, for every request and job that begins from now on. True:
  /// it is another one. What is under way ends under the former. Nothing changes on an error. InvalidArgument: every
  /// problem of the file, with its line. FailedPrecondition: every key that can only change when the app is opened
  /// again (FixedWhileOpen). A former config keeps about a megabyte until the app closes.
  absl::StatusOr<bool> ReloadConfig();

  /// Copies the app into the new folder `to`, laid out as its own, while it serves. What is derived is copied before
  /// the log: the copy of state is never ahead of the copy of the log, and a start on it folds the rest. A log in Kafka
  /// is not copied: the copy's config names it, and the copy goes on from the offsets in its state.
  absl::Status CopyTo(const std::string& to);

  /// Whether the app can serve and take events.
  absl::Status Health() const;
  std::vector<Gauge> Gauges() const;
  /// Gives the state's store back, so that it can be read by itself: for `bowerbird state verify`. Nothing else of the
  /// App works then.
  absl::Status CloseState();
  /// An operator's word on whether the user's events are marked traffic: kByHand, kUnmarked, or kRules to leave it to
  /// the rules. Folded when it returns; also for the ids that had become the same user. InvalidArgument: no id.
  /// Unavailable: log or state cannot write; it may have been said, and may be said again.
  absl::Status MarkUser(std::string_view id, state::MarkReason decision);
  /// Cancels jobs and waits for the one that runs, flushes, answers every append and stops every thread: nothing can be
  /// appended any more. Idempotent; the destructor calls it.
  void Stop();

 private:
  explicit App(Options options) : options_(std::move(options)) {}
  absl::Status Init();
  /// As artifact config/NAME, unless the newest one of that name is the same.
  absl::Status PublishConfig(const std::string& text, const std::string& version,
                             const std::string& name = "default") const;
  absl::StatusOr<std::string> ConfigText(const std::string& version) const;
  absl::StatusOr<experiment::live::RecipeSource> RecipeSource() const;
  absl::Status OpenExperiments();
  void ExperimentsLoop();
  /// Stops experiments whose guardrails are harmed.
  void GuardrailsLoop();
  void MakeCollector();
  absl::Status LoadSnapshot();
  absl::Status CatchUpCatalog();
  void MakeEngine();
  void AppendServed(v1::ServedRecord record);
  /// Where the last acknowledged event of whom the id has become lies, if it is not folded yet.
  std::optional<collect::LastAcknowledged::Position> UnfoldedOfAnswering(std::string_view user) const;
  absl::Status OpenSecrets();
  /// Meets where [cluster] of server.toml keeps what nodes share.
  absl::Status OpenShared();
  /// Makes the state of a node that has none, or a damaged one, from its newest checkpoint.
  absl::Status RestoreState(const std::string& dir);
  /// Gives the other nodes the artifacts that they serve from; takes them. False: there was nothing new.
  absl::StatusOr<bool> ShareArtifacts();
  absl::StatusOr<bool> FetchArtifacts();
  absl::Status SwapNewestSnapshot();
  absl::Status NeedFirstNode(std::string_view job) const;
  void ShareLoop();
  void CheckpointLoop();
  bool Owns(catalog::UserKey user) const;
  /// Applies what other nodes write to the catalog.
  void FollowLoop();
  void PipelineLoop();
  void LakeLoop();
  void RedactLoop();
  forget::Stores ForgetStores();
  static void AddTrafficGauges(const state::State::Counters& state, std::vector<Gauge>* gauges);
  void AddLakeGauges(std::vector<Gauge>* gauges) const;
  void MaintenanceLoop();
  void Warn(const std::string& warning) const;

  const Options options_;
  std::string folder_;
  Node node_;
  config::Cluster cluster_;
  Secrets secrets_;
  std::string fingerprint_;
  catalog::KeyHasher hasher_{base::HashSeed{}};
  base::Published<config::Config> config_;
  std::unique_ptr<log::ManagedLog> log_;
  std::unique_ptr<lake::Lake> lake_;
  std::unique_ptr<lake::LogWithHistory> history_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<features::Tables> features_;
  std::unique_ptr<catalog::Catalog> catalog_;
  std::unique_ptr<index::LiveIndex> live_;
  std::unique_ptr<state::State> state_;
  std::unique_ptr<collect::HideOverlay> hide_overlay_;
  std::unique_ptr<collect::LastAcknowledged> last_acknowledged_;
  std::unique_ptr<collect::LastAcknowledged> becomings_;
  /// One a config that was in force: a former one may still be collecting. The last one takes what comes now.
  std::vector<std::unique_ptr<collect::Collector>> collectors_;
  std::atomic<collect::Collector*> collector_ = nullptr;
  std::unique_ptr<collect::CatalogIntake> catalog_intake_;
  std::vector<std::unique_ptr<collect::SegmentMapping>> segments_;  ///< as the collectors
  std::atomic<const collect::SegmentMapping*> segment_ = nullptr;
  std::unique_ptr<Rankers> rankers_;
  std::unique_ptr<experiment::live::Experiments> experiments_;
  std::unique_ptr<serve::Engine> engine_;
  std::unique_ptr<collect::InboxIntake> inbox_;  ///< null: no other producers

  std::atomic<uint64_t> served_failed_ = 0;
  absl::Mutex job_mutex_;
  /// Records of the events topic, ever, when the pipeline last took a turn.
  std::atomic<uint64_t> pipeline_events_ = 0;
  absl::Mutex reload_mutex_;
  std::once_flag stop_once_;
  absl::Notification stop_;
  absl::Mutex lake_mutex_;
  std::set<std::string> lake_problems_ ABSL_GUARDED_BY(lake_mutex_);  ///< warned of already
  absl::Mutex forget_mutex_, redact_mutex_;
  std::unique_ptr<remote::RemoteFiles> shared_artifacts_, checkpoint_files_;  ///< null: not kept
  absl::Mutex checkpoint_mutex_;
  std::unique_ptr<Checkpoints> checkpoints_ ABSL_GUARDED_BY(checkpoint_mutex_);
  struct CheckpointCounts {
    std::atomic<int64_t> taken_us = 0;  ///< when the last one was
    std::atomic<uint64_t> taken = 0, failed = 0, refused = 0, restored = 0, bytes = 0;
    std::atomic<double> seconds = 0;  ///< what the last one took
  } checkpoint_counts_;
  std::atomic<uint64_t> artifact_failures_ = 0;
  std::thread pipeline_, maintenance_, lake_thread_, redact_thread_, follower_, sharer_, checkpointer_, experimenter_,
      guardian_;
};

}  // namespace bowerbird::app
