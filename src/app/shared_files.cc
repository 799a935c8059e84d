// What an App keeps where other machines find it: artifacts for the other nodes, checkpoints of its state.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "app/app.h"
#include "base/status_macros.h"
#include "base/thread_priority.h"
#include "registry/manifest.h"
#include "state/state_store.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;

constexpr char kKind[] = "snapshot", kName[] = "default";
constexpr int64_t kShareUs = 2'000'000;
constexpr int64_t kTickUs = 250'000;
constexpr int kGivesWay = 10;

std::string SharedFolder(const std::string& app) { return fmt::format("{}/{}/{}", app, kKind, kName); }

absl::Status Failed(const std::string& path, const std::error_code& error) {
  return absl::UnavailableError(fmt::format("{}: {}", path, error.message()));
}

}  // namespace

absl::Status App::OpenShared() {
  const auto open = [](std::string_view key, const std::string& where,
                       std::unique_ptr<remote::RemoteFiles>* files) -> absl::Status {
    if (where.empty()) return absl::OkStatus();
    auto opened = remote::RemoteFiles::Open(where);
    if (!opened.ok()) {
      return absl::Status(opened.status().code(),
                          fmt::format("server.toml: cluster.{}: {}", key, std::string(opened.status().message())));
    }
    *files = *std::move(opened);
    return absl::OkStatus();
  };
  // A node alone has nobody to share artifacts with.
  if (!node_.alone()) RETURN_IF_ERROR(open("artifacts", cluster_.artifacts, &shared_artifacts_));
  RETURN_IF_ERROR(open("checkpoints", cluster_.checkpoints, &checkpoint_files_));
  if (checkpoint_files_ == nullptr) return absl::OkStatus();
  const absl::MutexLock lock(&checkpoint_mutex_);
  checkpoints_ = std::make_unique<Checkpoints>(Checkpoints::Of{options_.name, node_, fingerprint_},
                                               checkpoint_files_.get(), options_.clock);
  checkpoint_counts_.taken_us = base::MonotonicUs();
  return absl::OkStatus();
}

absl::Status App::NeedFirstNode(std::string_view job) const {
  if (node_.index == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{}: this is node {} of {}; node 0 does it, and the others take what it makes from cluster.artifacts",
                  job, node_.index, node_.count));
}

absl::Status App::RestoreState(const std::string& dir) {
  if (checkpoint_files_ == nullptr) return absl::OkStatus();
  const state::StateStores& stores = state::RocksStateStores();
  if (stores.MarkedDamaged(dir)) RETURN_IF_ERROR(stores.Destroy(dir));
  if (stores.Exists(dir)) return absl::OkStatus();
  std::error_code error;
  fs::create_directories(fs::path(dir).parent_path(), error);
  if (error) return Failed(dir, error);
  const absl::MutexLock lock(&checkpoint_mutex_);
  const auto restored = checkpoints_->Restore(dir, [this](const absl::Status& refused) {
    ++checkpoint_counts_.refused;
    Warn(std::string(refused.message()));
  });
  // The log has everything then, as for a node that is new.
  if (absl::IsNotFound(restored.status())) return absl::OkStatus();
  RETURN_IF_ERROR(restored.status());
  checkpoint_counts_.restored = 1;
  Warn(fmt::format("state: found none here; made from checkpoint {} of {} bytes", restored->version, restored->bytes));
  return absl::OkStatus();
}

absl::StatusOr<JobResult> App::Checkpoint() {
  if (checkpoint_files_ == nullptr) {
    return absl::FailedPreconditionError("cluster.checkpoints of server.toml: found nothing; expected where they go");
  }
  const absl::MutexLock lock(&checkpoint_mutex_);
  RETURN_IF_ERROR(JobsCancelled());
  const int64_t start_us = base::MonotonicUs();
  const auto taken =
      checkpoints_->Take([this](const std::string& to) { return state_->Checkpoint(to); },
                         folder_ + "/state/checkpoint", cluster_.checkpoints_kept, [this] { return JobsCancelled(); });
  if (!taken.ok()) {
    ++checkpoint_counts_.failed;
    return taken.status();
  }
  JobResult result;
  result.artifact = "state/" + options_.name;
  result.version = taken->version;
  result.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  result.metrics = {{"files", static_cast<double>(taken->files)}, {"bytes", static_cast<double>(taken->bytes)}};
  ++checkpoint_counts_.taken;
  checkpoint_counts_.taken_us = base::MonotonicUs();
  checkpoint_counts_.bytes = taken->bytes;
  checkpoint_counts_.seconds = result.seconds;
  return result;
}

void App::CheckpointLoop() {
  base::GiveWay(kGivesWay);
  int64_t turn_us = base::MonotonicUs();
  while (!stop_.WaitForNotificationWithTimeout(absl::Microseconds(kTickUs))) {
    if (base::MonotonicUs() - turn_us < cluster_.checkpoint_us) continue;
    const auto taken = Checkpoint();
    turn_us = base::MonotonicUs();
    if (!taken.ok() && JobsCancelled().ok()) Warn(fmt::format("checkpoint: {}", std::string(taken.status().message())));
  }
}

absl::StatusOr<bool> App::ShareArtifacts() {
  const std::string shared = SharedFolder(options_.name);
  ASSIGN_OR_RETURN(const std::vector<std::string> own, registry_->List(kKind, kName));
  ASSIGN_OR_RETURN(const std::vector<std::string> there, shared_artifacts_->List(shared));
  const std::set<std::string> given(there.begin(), there.end());
  bool any = false;
  if (!own.empty()) {
    const std::string to = fmt::format("{}/{}", shared, own.back());
    ASSIGN_OR_RETURN(const std::vector<std::string> names, shared_artifacts_->List(to));
    if (std::ranges::find(names, registry::kManifestFile) == names.end()) {
      ASSIGN_OR_RETURN(const registry::Artifact artifact, registry_->Open(kKind, kName, own.back()));
      for (const registry::ArtifactFile& file : artifact.manifest.files) {
        RETURN_IF_ERROR(JobsCancelled());
        RETURN_IF_ERROR(shared_artifacts_->Put(artifact.Path(file.name), fmt::format("{}/{}", to, file.name)));
      }
      RETURN_IF_ERROR(shared_artifacts_->Put(artifact.Path(registry::kManifestFile),
                                             fmt::format("{}/{}", to, registry::kManifestFile)));
      any = true;
    }
  }
  for (const std::string& version : given) {
    if (std::ranges::find(own, version) != own.end()) continue;
    RETURN_IF_ERROR(shared_artifacts_->DeleteFolder(fmt::format("{}/{}", shared, version)));
  }
  return any;
}

absl::StatusOr<bool> App::FetchArtifacts() {
  const std::string shared = SharedFolder(options_.name);
  ASSIGN_OR_RETURN(const std::vector<std::string> own, registry_->List(kKind, kName));
  ASSIGN_OR_RETURN(const std::vector<std::string> there, shared_artifacts_->List(shared));
  for (auto version = there.rbegin(); version != there.rend(); ++version) {
    if (std::ranges::find(own, *version) != own.end()) return false;
    const std::string from = fmt::format("{}/{}", shared, *version);
    const auto text = shared_artifacts_->GetText(fmt::format("{}/{}", from, registry::kManifestFile));
    if (absl::IsNotFound(text.status())) continue;  // it is being given
    RETURN_IF_ERROR(text.status());
    ASSIGN_OR_RETURN(const registry::Manifest manifest, registry::ParseManifest(*text));
    const std::string to = fmt::format("{}/artifacts/{}/{}/{}", folder_, kKind, kName, *version);
    std::error_code error;
    fs::create_directories(to, error);
    if (error) return Failed(to, error);
    for (const registry::ArtifactFile& file : manifest.files) {
      RETURN_IF_ERROR(JobsCancelled());
      const std::string path = fmt::format("{}/{}", to, file.name);
      RETURN_IF_ERROR(shared_artifacts_->Get(fmt::format("{}/{}", from, file.name), path));
      ASSIGN_OR_RETURN(const std::string checksum, store::ChecksumFile(path));
      if (checksum != file.checksum) {
        fs::remove_all(to, error);
        return absl::DataLossError(fmt::format("{}/{}: it is damaged: found checksum {}; expected {}", from, file.name,
                                               checksum, file.checksum));
      }
      RETURN_IF_ERROR(store::SyncFile(path));
    }
    // Its appearance is the commit, here as there.
    RETURN_IF_ERROR(store::AtomicWriteFile(fmt::format("{}/{}", to, registry::kManifestFile), *text));
    RETURN_IF_ERROR(registry_->Prune(kKind, kName, std::max(1u, config()->pipeline.snapshots_kept)).status());
    return true;
  }
  return false;
}

absl::Status App::SwapNewestSnapshot() {
  ASSIGN_OR_RETURN(const registry::NewestArtifact newest, registry_->Newest(kKind, kName));
  for (const std::string& refused : newest.refused) Warn(refused);
  ASSIGN_OR_RETURN(auto snapshot,
                   index::Snapshot::Open(newest.artifact.Path("snapshot.bb"), newest.artifact.manifest.version));
  return live_->SwapSnapshot(std::move(snapshot));
}

void App::ShareLoop() {
  base::GiveWay(kGivesWay);
  int64_t turn_us = 0;
  std::string last_problem;
  while (!stop_.WaitForNotificationWithTimeout(absl::Microseconds(kTickUs))) {
    if (base::MonotonicUs() - turn_us < kShareUs) continue;
    absl::Status status;
    if (node_.index == 0) {
      status = ShareArtifacts().status();
    } else {
      const auto fetched = FetchArtifacts();
      status = fetched.status();
      if (fetched.ok() && *fetched) status = SwapNewestSnapshot();
    }
    turn_us = base::MonotonicUs();
    if (!status.ok() && JobsCancelled().ok()) {
      ++artifact_failures_;
      // The same trouble is told once.
      if (const std::string problem(status.message()); problem != last_problem) {
        Warn(fmt::format("artifacts: {}", problem));
        last_problem = problem;
      }
    } else {
      last_problem.clear();
    }
  }
}

}  // namespace bowerbird::app
