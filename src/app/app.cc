#include "app/app.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "app/open_log.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/thread_priority.h"
#include "bowerbird/v1/item.pb.h"
#include "config/problem_list.h"
#include "state/state_store.h"
#include "state/user_record.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kBecomingsMax = 1u << 16;  // users that an id has become lately
constexpr size_t kReadRecords = 1000;
constexpr size_t kReadBytes = 8u << 20;
constexpr int64_t kCatalogFlushUs = 5'000'000;
constexpr int64_t kPipelineTickUs = 250'000;
constexpr int kLakeGivesWay = 10;
constexpr int64_t kRetentionUs = 600'000'000;

}  // namespace

std::string App::Folder(const std::string& dir, const std::string& name) {
  return fmt::format("{}/apps/{}", dir, name);
}

absl::StatusOr<bool> App::InitFolder(const std::string& dir, const std::string& name, const std::string& config_text) {
  const std::string path = Folder(dir, name) + "/bowerbird.toml";
  if (fs::exists(path)) return false;
  std::error_code error;
  fs::create_directories(Folder(dir, name), error);
  if (error) return absl::UnavailableError(fmt::format("{}: {}", Folder(dir, name), error.message()));
  if (!fs::exists(dir + "/server.toml"))
    RETURN_IF_ERROR(store::AtomicWriteFile(dir + "/server.toml", config::StarterServerText()));
  RETURN_IF_ERROR(store::AtomicWriteFile(path, config_text));
  return true;
}

absl::StatusOr<std::unique_ptr<App>> App::Open(const Options& options) {
  auto app = std::unique_ptr<App>(new App(options));
  RETURN_IF_ERROR(app->Init());
  return app;
}

absl::Status App::Init() {
  folder_ = Folder(options_.dir, options_.name);
  const std::string config_path = folder_ + "/bowerbird.toml";
  if (!fs::exists(config_path)) {
    return absl::NotFoundError(
        fmt::format("{}: no such config; `bowerbird import` or `bowerbird init` makes one", config_path));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const config::Config> settings, config::Load(config_path));
  config_.Set(settings);
  ASSIGN_OR_RETURN(node_, ReadNode(options_.dir));
  ASSIGN_OR_RETURN(cluster_, ReadCluster(options_.dir));
  if (!node_.alone() && settings->log.kind != config::Log::Kind::kKafka) {
    return absl::FailedPreconditionError(
        fmt::format("{}: log.kind: found \"embedded\"; expected \"kafka\", because this is node {} of {}, and the "
                    "nodes share one log",
                    config_path, node_.index, node_.count));
  }
  if (node_.count > settings->partitions) {
    return absl::FailedPreconditionError(fmt::format("{}: app.partitions: found {}; expected at least {}, one a node",
                                                     config_path, settings->partitions, node_.count));
  }
  ASSIGN_OR_RETURN(log_, OpenLog(*settings, folder_ + "/log", options_.clock));
  RETURN_IF_ERROR(OpenSecrets());
  lake::Lake::Options lake_options;
  lake_options.folder = fs::absolute(folder_ + "/lake").lexically_normal().string();
  lake_options.log = log_.get();
  lake_options.clock = options_.clock;
  lake_options.on_step = [this](std::string_view) { return JobsCancelled(); };
  lake_ = std::make_unique<lake::Lake>(std::move(lake_options));
  history_ = std::make_unique<lake::LogWithHistory>(log_.get(), lake_.get());
  registry_ = std::make_unique<registry::Registry>(folder_ + "/artifacts", options_.clock);
  features_ = std::make_unique<features::Tables>(registry_.get(), hasher_);
  ASSIGN_OR_RETURN(const std::vector<std::string> refused_features, features_->Open());
  for (const std::string& refused : refused_features) Warn(refused);
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(config_path));
  RETURN_IF_ERROR(PublishConfig(text, settings->version));
  ASSIGN_OR_RETURN(catalog_,
                   catalog::Catalog::Open(folder_ + "/state/catalog", settings, hasher_, catalog::Catalog::Options()));
  RETURN_IF_ERROR(OpenShared());
  if (shared_artifacts_ != nullptr && node_.index != 0) {
    // Without it the former one is served, or none, until it can be had.
    if (const auto fetched = FetchArtifacts(); !fetched.ok()) Warn(std::string(fetched.status().message()));
  }
  RETURN_IF_ERROR(LoadSnapshot());
  hide_overlay_ = std::make_unique<collect::HideOverlay>();
  last_acknowledged_ = std::make_unique<collect::LastAcknowledged>();
  becomings_ = std::make_unique<collect::LastAcknowledged>(kBecomingsMax);
  RETURN_IF_ERROR(CatchUpCatalog());
  MakeCollector();
  RETURN_IF_ERROR(RestoreState(folder_ + "/state/events"));
  state::State::Options state_options;
  state_options.publish = options_.consume;
  state_options.owned = node_.Owned(settings->partitions);
  state_options.version_offset = node_.index;
  state_options.version_step = node_.count;
  state_options.threads = std::max(1u, std::thread::hardware_concurrency());
  state_options.handed_over = [this](catalog::UserKey user, uint32_t partition, log::Offset offset) {
    last_acknowledged_->Set(user, {partition, offset});
  };
  ASSIGN_OR_RETURN(
      state_, state::State::Open(folder_ + "/state/events", settings, history_.get(), options_.clock, state_options));
  rankers_ = std::make_unique<Rankers>(registry_.get());
  for (const std::string& problem : rankers_->Load(*settings)) Warn(problem);
  RETURN_IF_ERROR(OpenExperiments());
  MakeEngine();
  if (options_.consume) {
    // Whoever asks first sees everything that was acknowledged before.
    RETURN_IF_ERROR(state_->CatchUp());
    state_->Start();
    ASSIGN_OR_RETURN(auto inbox, OpenInbox(*settings, folder_));
    if (inbox != nullptr) {
      inbox_ = std::make_unique<collect::InboxIntake>(
          std::move(inbox), "events_in", [this]() -> collect::Collector& { return *collector_.load(); }, log_.get());
      inbox_->Start();
    }
    maintenance_ = std::thread([this] { MaintenanceLoop(); });
    experimenter_ = std::thread([this] { ExperimentsLoop(); });
    if (!node_.alone()) follower_ = std::thread([this] { FollowLoop(); });
    if (shared_artifacts_ != nullptr) sharer_ = std::thread([this] { ShareLoop(); });
    if (checkpoint_files_ != nullptr) checkpointer_ = std::thread([this] { CheckpointLoop(); });
  }
  return absl::OkStatus();
}

App::~App() { Stop(); }

void App::CancelJobs() {
  std::call_once(stop_once_, [this] { stop_.Notify(); });
}

absl::Status App::JobsCancelled() const {
  return stop_.HasBeenNotified() ? absl::UnavailableError("the app is stopping: no job runs any more")
                                 : absl::OkStatus();
}

void App::Stop() {
  CancelJobs();
  if (pipeline_.joinable()) pipeline_.join();
  if (maintenance_.joinable()) maintenance_.join();
  for (std::thread* thread : {&follower_, &sharer_, &checkpointer_, &experimenter_, &guardian_}) {
    if (thread->joinable()) thread->join();
  }
  if (lake_thread_.joinable()) lake_thread_.join();
  if (redact_thread_.joinable()) redact_thread_.join();
  // The job of another thread: it sees the cancellation, and what it uses stays until it has ended.
  const absl::MutexLock no_job(&job_mutex_);
  if (inbox_ != nullptr) inbox_->Stop();
  if (state_ != nullptr) state_->Stop();
  if (catalog_ != nullptr) {
    if (const absl::Status status = catalog_->Flush(); !status.ok()) Warn(std::string(status.message()));
  }
  // Whoever waits for an acknowledgement has it before what answers them goes.
  if (log_ != nullptr) log_->StopAppends();
}

absl::Status App::CloseState() {
  engine_.reset();
  RETURN_IF_ERROR(state_->Flush());
  state_->Stop();
  state_.reset();
  return absl::OkStatus();
}

void App::MakeCollector() {
  collectors_.push_back(std::make_unique<collect::Collector>(
      config(), hasher_, log_.get(), catalog_.get(), options_.clock,
      collect::Collector::Overlays{last_acknowledged_.get(), hide_overlay_.get(), becomings_.get()}));
  segments_.push_back(std::make_unique<collect::SegmentMapping>(config()));
  collector_ = collectors_.back().get();
  segment_ = segments_.back().get();
}

absl::Status App::PublishConfig(const std::string& text, const std::string& version, const std::string& name) const {
  const auto newest = registry_->Newest("config", name);
  if (newest.ok()) {
    const auto known = store::ReadFile(newest->artifact.Path("bowerbird.toml"));
    if (known.ok() && *known == text) return absl::OkStatus();
  }
  registry::Contents contents;
  contents.write = [&](const std::string& folder) { return store::AtomicWriteFile(folder + "/bowerbird.toml", text); };
  std::string inputs;
  base::JsonWriter(&inputs).BeginObject().Key("config_version").String(version).EndObject();
  contents.inputs_json = inputs;
  return registry_->Publish("config", name, contents).status();
}

absl::Status App::LoadSnapshot() {
  live_ = std::make_unique<index::LiveIndex>(config());
  // Versions whose files pass but whose content a reader refuses are stepped over, too.
  ASSIGN_OR_RETURN(std::vector<std::string> versions, registry_->List("snapshot", "default"));
  for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
    auto artifact = registry_->Open("snapshot", "default", *version);
    absl::Status status = artifact.status();
    if (status.ok()) {
      auto snapshot = index::Snapshot::Open(artifact->Path("snapshot.bb"), *version);
      status = snapshot.status();
      if (status.ok()) status = live_->SwapSnapshot(*std::move(snapshot));
    }
    if (status.ok()) break;
    Warn(fmt::format("snapshot/default/{}: {}", *version, std::string(status.message())));
  }
  return absl::OkStatus();
}

absl::Status App::CatchUpCatalog() {
  // What the snapshot does not hold yet, from the log; then the intake brings the store itself up to the log's end.
  log::Offset offset = live_->View()->catalog_offset();
  std::vector<v1::CatalogRecord> records;
  std::vector<index::Change> changes;
  while (true) {
    ASSIGN_OR_RETURN(const log::ReadResult read, log_->Read(log::Topic::kCatalog, 0, offset, kReadRecords, kReadBytes));
    if (read.records.empty()) break;
    records.assign(read.records.size(), {});
    changes.clear();
    for (size_t i = 0; i < read.records.size(); ++i) {
      if (!records[i].ParseFromString(read.records[i].value)) continue;
      if (records[i].change_case() != v1::CatalogRecord::kItem &&
          records[i].change_case() != v1::CatalogRecord::kDeleted)
        continue;
      changes.push_back({read.records[i].offset, catalog::ItemKey(records[i].item_key()),
                         records[i].has_item() ? &records[i].item() : nullptr});
    }
    if (const absl::Status status = live_->Apply(changes); !status.ok()) Warn(std::string(status.message()));
    offset = read.next_offset;
  }
  catalog_intake_ =
      std::make_unique<collect::CatalogIntake>(config(), hasher_, log_.get(), catalog_.get(), options_.clock,
                                               [this](std::span<const collect::CatalogChange> applied) {
                                                 std::vector<index::Change> told;
                                                 told.reserve(applied.size());
                                                 for (const collect::CatalogChange& change : applied)
                                                   told.push_back({change.offset, change.key, change.item});
                                                 if (const absl::Status status = live_->Apply(told); !status.ok())
                                                   Warn(std::string(status.message()));
                                               });
  return catalog_intake_->CatchUp();
}

void App::MakeEngine() {
  serve::Engine::Sources sources;
  sources.config = [this] { return config(); };
  sources.view = [this] { return live_->View(); };
  sources.user = [this](catalog::UserKey key, std::string_view id) { return AnsweringUser(key, id); };
  sources.actions = [this](catalog::UserKey key, std::string_view id, uint64_t before, const auto& visit) {
    return state_->VisitActions(key, id, before, visit);
  };
  sources.item_table = [this] { return state_->item_table(); };
  sources.features = [this] { return features_->Get(); };
  sources.unfolded_hides = [this](catalog::UserKey user, uint64_t folded_offset) {
    std::vector<serve::OverlayHide> hides;
    for (collect::HideOverlay::Hide& hide : hide_overlay_->Unfolded(user, folded_offset))
      hides.push_back({std::move(hide.item), hide.key});
    return hides;
  };
  sources.ranker = [this](std::string_view surface) { return rankers_->Of(surface); };
  sources.arms = [this](const serve::ArmsQuestion& question) { return experiments_->Choose(question); };
  if (options_.log_served) {
    sources.served = [this](v1::ServedRecord record) {
      experiments_->Served(record);
      AppendServed(std::move(record));
    };
  }
  serve::Engine::Options options{.hasher = hasher_, .node = node_.index, .nodes = node_.count};
  std::copy_n(secrets_.cursor_key.begin(), options.cursor_key.size(), options.cursor_key.begin());
  const std::string seed = base::RandomBytes(sizeof(options.seed));
  std::copy_n(seed.begin(), sizeof(options.seed), reinterpret_cast<char*>(&options.seed));
  engine_ = std::make_unique<serve::Engine>(std::move(sources), options_.clock, options);
}

void App::AppendServed(v1::ServedRecord record) {
  std::vector<log::AppendRecord> batch(1);
  batch[0].topic = log::Topic::kServed;
  batch[0].partition = catalog::PartitionOf(catalog::UserKey(record.user_key()), config()->partitions);
  batch[0].key = record.request().user();
  record.SerializeToString(&batch[0].value);
  log_->AppendAsync(std::move(batch), [this](const absl::StatusOr<std::vector<log::Offset>>& offsets) {
    if (!offsets.ok()) ++served_failed_;
  });
}

absl::StatusOr<std::shared_ptr<const state::UserState>> App::AnsweringUser(catalog::UserKey key,
                                                                           std::string_view id) const {
  auto user = state_->Get(key, id);
  for (uint32_t hops = 0; hops < state::kMergeHopsMax && user.ok() && !(*user)->becomes.empty(); ++hops) {
    const std::string becomes = (*user)->becomes;
    const catalog::UserKey next = hasher_.User(becomes);
    if (!Owns(next)) break;
    user = state_->Get(next, becomes);
  }
  return user;
}

std::optional<collect::LastAcknowledged::Position> App::UnfoldedOfAnswering(std::string_view user) const {
  const catalog::UserKey key = hasher_.User(user);
  const auto answering = AnsweringUser(key, user);
  if (!answering.ok() || (*answering)->key == key) return std::nullopt;
  const auto position = last_acknowledged_->Get((*answering)->key);
  if (!position.has_value() || state_->FoldedOffset(position->partition) > position->offset) return std::nullopt;
  return position;
}

bool App::UserCurrent(std::string_view user) const {
  const catalog::UserKey key = hasher_.User(user);
  // What another node folds cannot be waited for here: what an id of its hands over comes by the log.
  const state::PartitionRange owned = node_.Owned(log_->PartitionCount(log::Topic::kEvents));
  for (const collect::LastAcknowledged* table : {becomings_.get(), last_acknowledged_.get()}) {
    const auto position = table->Get(key);
    if (position.has_value() && owned.Has(position->partition) &&
        state_->FoldedOffset(position->partition) <= position->offset) {
      return false;
    }
  }
  return user.empty() || !UnfoldedOfAnswering(user).has_value();
}

void App::WhenUserCurrent(std::string_view user, std::function<void()> done) {
  const int64_t patience_us = config()->state.read_your_writes_us;
  // Who an id has become waits for what the id hands over, which has its place in the log once the id's record is
  // folded.
  const catalog::UserKey key = hasher_.User(user);
  auto wait_for_answering = [this, id = std::string(user), patience_us, done = std::move(done)](bool) {
    const auto position = UnfoldedOfAnswering(id);
    if (!position.has_value()) return done();
    state_->WhenFolded(position->partition, position->offset, patience_us, [done](bool) { done(); });
  };
  auto wait_for_own = [this, key, patience_us, next = std::move(wait_for_answering)](bool) {
    const auto position = last_acknowledged_->Get(key);
    if (!position.has_value()) return next(true);
    state_->WhenFolded(position->partition, position->offset, patience_us, next);
  };
  const auto becoming = becomings_->Get(key);
  const state::PartitionRange owned = node_.Owned(log_->PartitionCount(log::Topic::kEvents));
  if (!becoming.has_value() || !owned.Has(becoming->partition)) return wait_for_own(true);
  state_->WhenFolded(becoming->partition, becoming->offset, patience_us, std::move(wait_for_own));
}

void App::StartPipeline() {
  // What is learned from the whole log is learned once.
  if (node_.index != 0) return;
  pipeline_ = std::thread([this] { PipelineLoop(); });
  lake_thread_ = std::thread([this] { LakeLoop(); });
  redact_thread_ = std::thread([this] { RedactLoop(); });
  guardian_ = std::thread([this] { GuardrailsLoop(); });
}

absl::Status App::RunLake() {
  const absl::MutexLock lock(&lake_mutex_);
  RETURN_IF_ERROR(lake_->CatchUp().status());
  const auto& retention_us = config()->lake.retention_us;
  ASSIGN_OR_RETURN(const std::vector<std::string> problems,
                   lake_->Maintain(std::map<std::string, int64_t>(retention_us.begin(), retention_us.end())));
  for (const std::string& problem : problems) {
    if (lake_problems_.insert(problem).second) Warn(fmt::format("lake: {}", problem));
  }
  return absl::OkStatus();
}

void App::LakeLoop() {
  base::GiveWay(kLakeGivesWay);
  int64_t turn_us = base::MonotonicUs();
  std::string last_problem;
  while (!stop_.WaitForNotificationWithTimeout(absl::Microseconds(kPipelineTickUs))) {
    const config::Lake settings = config()->lake;
    if (!settings.enabled || base::MonotonicUs() - turn_us < settings.interval_us) continue;
    const absl::Status done = RunLake();
    turn_us = base::MonotonicUs();
    // The same trouble each minute is told once.
    const std::string problem(done.message());
    if (!done.ok() && JobsCancelled().ok() && problem != last_problem) Warn(fmt::format("lake: {}", problem));
    last_problem = problem;
  }
}

void App::PipelineLoop() {
  int64_t turn_us = base::MonotonicUs();
  while (!stop_.WaitForNotificationWithTimeout(absl::Microseconds(kPipelineTickUs))) {
    // Asked at each tick: a reload may have changed it.
    const int64_t interval_us = config()->pipeline.interval_us;
    if (interval_us == 0 || base::MonotonicUs() - turn_us < interval_us) continue;
    const auto published = RunPipeline();
    turn_us = base::MonotonicUs();
    if (!published.ok() && JobsCancelled().ok())
      Warn(fmt::format("pipeline: {}", std::string(published.status().message())));
  }
}

void App::MaintenanceLoop() {
  int64_t retention_us = base::MonotonicUs();
  while (!stop_.WaitForNotificationWithTimeout(absl::Microseconds(kCatalogFlushUs))) {
    if (const absl::Status status = catalog_->Flush(); !status.ok()) Warn(std::string(status.message()));
    if (!Retention(*config()).empty() && base::MonotonicUs() - retention_us > kRetentionUs) {
      retention_us = base::MonotonicUs();
      if (const absl::Status status = ApplyRetention(); !status.ok() && JobsCancelled().ok())
        Warn(fmt::format("retention: {}", std::string(status.message())));
    }
  }
}

absl::StatusOr<bool> App::ReloadConfig() {
  const absl::MutexLock lock(&reload_mutex_);
  const std::string path = folder_ + "/bowerbird.toml";
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(path));
  const config::ParseResult parsed = config::Parse(text, path);
  if (parsed.config == nullptr) return absl::InvalidArgumentError(config::ProblemList(parsed.problems));
  const std::shared_ptr<const config::Config> former = config();
  if (parsed.config->version == former->version) return false;
  const std::vector<std::string> fixed = FixedWhileOpen(*former, *parsed.config);
  if (!fixed.empty()) {
    std::string message = fmt::format("{}: this needs the app to be opened again", path);
    for (const std::string& key : fixed) fmt::format_to(std::back_inserter(message), "\n{}: {}", path, key);
    return absl::FailedPreconditionError(message);
  }
  // Published before anything is stamped with its version, so that whatever names the version can be replayed.
  RETURN_IF_ERROR(PublishConfig(text, parsed.config->version));
  config_.Set(parsed.config);
  catalog_intake_->SetConfig(parsed.config);
  if (const absl::Status status = log_->SetRetention(Retention(*parsed.config)); !status.ok())
    Warn(std::string(status.message()));
  MakeCollector();
  if (const absl::Status changed = experiments_->ConfigChanged(); !changed.ok())
    Warn(fmt::format("experiments: {}", std::string(changed.message())));
  return true;
}

absl::Status App::Health() const {
  if (catalog_->damaged()) {
    return absl::DataLossError("catalog store: damaged; the next start makes it again from the log");
  }
  RETURN_IF_ERROR(log_->Health());
  return state_->Health();
}

void App::Warn(const std::string& warning) const {
  if (options_.on_warning) options_.on_warning(warning);
}

}  // namespace bowerbird::app
