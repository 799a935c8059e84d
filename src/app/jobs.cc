#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "app/app.h"
#include "app/cf_artifact.h"
#include "app/history.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "index/snapshot_builder.h"
#include "learn/cf/co_occurrence.h"
#include "learn/cf/ials.h"
#include "learn/cf/interactions.h"
#include "model/fold_in.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

constexpr char kName[] = "default";

/// Neighbours kept in the artifact; a snapshot may keep fewer.
constexpr uint32_t kNeighbors = 50;
/// Pairs of one user's actions far apart in time say less: halved each this long.
constexpr double kGapHalfLifeUs = 7 * 86'400e6;
/// Damps pairs that were seen once or twice.
constexpr double kSupportShrinkage = 2;

/// When the newest of the records below `ends` was appended: a model of them knows nothing later.
absl::StatusOr<int64_t> NewestAppendUs(const log::EventLog& log, const std::vector<log::Offset>& ends) {
  int64_t newest_us = 0;
  for (uint32_t p = 0; p < ends.size(); ++p) {
    ASSIGN_OR_RETURN(const log::Offset begin, log.BeginOffset(log::Topic::kEvents, p));
    if (ends[p] <= begin) continue;
    ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(log::Topic::kEvents, p, ends[p] - 1, 1, 1));
    if (!read.records.empty()) newest_us = std::max(newest_us, read.records.front().append_time_us);
  }
  return newest_us;
}

std::string InputsJson(const ActionHistory& history, const std::string& config_version, int64_t trained_until_us) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject()
      .Key("config_version")
      .String(config_version)
      .Key("trained_until_us")
      .Int(trained_until_us)
      .Key("topic")
      .String("events")
      .Key("end_offsets")
      .BeginArray();
  for (const log::Offset end : history.ends) json.Uint(end);
  json.EndArray().EndObject();
  return text;
}

}  // namespace

absl::StatusOr<JobResult> App::RunJob(const std::function<absl::StatusOr<JobResult>()>& job) {
  absl::MutexLock lock(&job_mutex_);
  RETURN_IF_ERROR(JobsCancelled());
  return job();
}

absl::StatusOr<std::string> App::ConfigText() const { return ConfigText(config()->version); }

absl::StatusOr<std::string> App::ConfigText(const std::string& version) const {
  ASSIGN_OR_RETURN(const std::vector<std::string> published, registry_->List("config", kName));
  for (auto it = published.rbegin(); it != published.rend(); ++it) {
    const auto artifact = registry_->Open("config", kName, *it);
    if (!artifact.ok()) continue;
    ASSIGN_OR_RETURN(std::string text, store::ReadFile(artifact->Path("bowerbird.toml")));
    if (base::Sha256Hex(text).substr(0, version.size()) == version) return text;
  }
  return absl::NotFoundError(fmt::format("config {} is not among the published ones", version));
}

absl::StatusOr<JobResult> App::TrainCf(const TrainOptions& options) {
  RETURN_IF_ERROR(NeedFirstNode("train cf"));
  absl::MutexLock lock(&job_mutex_);
  RETURN_IF_ERROR(JobsCancelled());
  const int64_t start_us = base::MonotonicUs();
  // One config for the whole job, whatever is reloaded meanwhile.
  const std::shared_ptr<const config::Config> settings = config();
  const auto say = [&](const std::string& line) {
    if (options.progress) options.progress(line);
  };
  const int64_t window_us = settings->pipeline.window_us;
  const int64_t from_us = window_us > 0 ? options_.clock->NowUs() - window_us : 0;
  // Who was marked before the window is known to state alone.
  MarkedUsers marked_before;
  if (from_us > 0) {
    RETURN_IF_ERROR(state_->VisitUsers({}, [&](const state::UserState& user) {
      if (user.mark.reason != state::MarkReason::kRules) marked_before.emplace_back(user.key, user.mark);
      return true;
    }));
  }
  ASSIGN_OR_RETURN(const ActionHistory history, ReadActions(*history_, *settings, from_us, 0, marked_before));
  if (history.users.empty()) {
    return absl::FailedPreconditionError(fmt::format(
        "the log has {} events, none of them a positive action on an item: nothing to learn from", history.events));
  }
  say(fmt::format("{} actions of {} users on {} items", history.users.size(), history.user_count,
                  history.item_keys.size()));

  const auto item_count = static_cast<uint32_t>(history.item_keys.size());
  ASSIGN_OR_RETURN(
      const learn::cf::Interactions interactions,
      learn::cf::Interactions::Build(history.user_count, item_count, history.users, history.items, history.weights));
  learn::cf::IalsOptions ials;
  ials.factors = options.factors != 0 ? options.factors : settings->pipeline.factors;
  ials.epochs = options.epochs != 0 ? options.epochs : settings->pipeline.epochs;
  ials.objective.regularization = static_cast<float>(settings->pipeline.regularization);
  ials.objective.unobserved_weight = static_cast<float>(settings->pipeline.unobserved_weight);
  double epoch_s = 0;
  ials.progress = [&](const learn::cf::IalsEpoch& epoch) {
    epoch_s += epoch.seconds;
    say(fmt::format("epoch {}/{}: {:.2f} s", epoch.epoch, ials.epochs, epoch.seconds));
    return !stop_.HasBeenNotified();
  };
  ASSIGN_OR_RETURN(const learn::cf::IalsModel trained, learn::cf::TrainIals(interactions, ials));
  RETURN_IF_ERROR(JobsCancelled());

  learn::cf::CoOccurrenceOptions pairs;
  pairs.neighbors = kNeighbors;
  pairs.gap_half_life_us = kGapHalfLifeUs;
  pairs.age_half_life_us = static_cast<double>(settings->pipeline.co_occurrence_half_life_us);
  // As of the newest action, not of the clock: the same log gives the same lists.
  pairs.now_us = *std::max_element(history.times_us.begin(), history.times_us.end());
  pairs.support_shrinkage = kSupportShrinkage;
  ASSIGN_OR_RETURN(learn::cf::CoOccurrenceLists lists,
                   learn::cf::CountCoOccurrence(history.user_count, item_count, history.users, history.items,
                                                history.times_us, history.weights, pairs));
  say(fmt::format("{} co-occurring pairs", lists.items.size()));

  index::CfModel model;
  model.items = history.item_keys;
  model.dim = trained.factors;
  model.factors = trained.items;
  model.gramian = model::Gramian(trained.items, trained.factors);
  model.objective = ials.objective;
  model.item_counts.resize(item_count);
  for (const uint32_t item : history.items) ++model.item_counts[item];
  model.neighbor_offsets = std::move(lists.offsets);
  model.neighbors = std::move(lists.items);
  model.neighbor_scores = std::move(lists.scores);

  JobResult result;
  result.artifact = "cf/default";
  result.metrics = {{"users", history.user_count},
                    {"items", item_count},
                    {"actions", static_cast<double>(history.users.size())},
                    {"factors", trained.factors},
                    {"epoch_s", epoch_s / ials.epochs}};
  registry::Contents contents;
  contents.write = [&](const std::string& folder) { return WriteCfArtifact(model, folder); };
  ASSIGN_OR_RETURN(const int64_t trained_until_us, NewestAppendUs(*history_, history.ends));
  contents.inputs_json = InputsJson(history, settings->version, trained_until_us);
  contents.metrics = result.metrics;
  ASSIGN_OR_RETURN(result.version, registry_->Publish("cf", kName, contents));
  RETURN_IF_ERROR(registry_->Prune("cf", kName, std::max(1u, settings->pipeline.snapshots_kept)).status());
  result.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  return result;
}

absl::StatusOr<JobResult> App::BuildIndex() {
  RETURN_IF_ERROR(NeedFirstNode("index build"));
  absl::MutexLock lock(&job_mutex_);
  RETURN_IF_ERROR(JobsCancelled());
  const int64_t start_us = base::MonotonicUs();
  const std::shared_ptr<const config::Config> settings = config();
  index::CfModel model;
  auto newest = registry_->Newest("cf", kName);
  if (newest.ok()) {
    for (const std::string& refused : newest->refused) Warn(refused);
    ASSIGN_OR_RETURN(model, ReadCfArtifact(newest->artifact));
  } else if (!absl::IsNotFound(newest.status())) {
    return newest.status();
  }
  index::BuildReport report;
  registry::Contents contents;
  contents.write = [&](const std::string& folder) -> absl::Status {
    ASSIGN_OR_RETURN(auto builder, index::SnapshotBuilder::Create(folder + "/snapshot.bb", settings));
    absl::Status added;
    uint64_t offset = 0;
    RETURN_IF_ERROR(catalog_->Scan(
        [&](catalog::ItemKey key, const v1::Item& item) {
          added = JobsCancelled();
          if (added.ok()) added = builder->Add(key, item);
          return added.ok();
        },
        &offset));
    RETURN_IF_ERROR(added);
    ASSIGN_OR_RETURN(report, builder->Finish(offset, newest.ok() ? &model : nullptr, index::BuildOptions()));
    return absl::OkStatus();
  };
  std::string inputs;
  base::JsonWriter(&inputs)
      .BeginObject()
      .Key("config_version")
      .String(settings->version)
      .Key("cf")
      .String(model.version)
      .EndObject();
  contents.inputs_json = inputs;
  JobResult result;
  result.artifact = "snapshot/default";
  ASSIGN_OR_RETURN(result.version, registry_->Publish("snapshot", kName, contents));
  ASSIGN_OR_RETURN(const registry::Artifact artifact, registry_->Open("snapshot", kName, result.version));
  ASSIGN_OR_RETURN(auto snapshot, index::Snapshot::Open(artifact.Path("snapshot.bb"), result.version));
  RETURN_IF_ERROR(live_->SwapSnapshot(std::move(snapshot)));
  RETURN_IF_ERROR(registry_->Prune("snapshot", kName, std::max(1u, settings->pipeline.snapshots_kept)).status());
  result.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  result.metrics = {
      {"items", report.items},
      {"eligible", report.eligible},
      {"trained", report.trained},
      {"predicted", report.predicted},
      {"bytes", static_cast<double>(report.bytes)},
      {"bytes_per_item", report.items == 0 ? 0.0 : static_cast<double>(report.retrieval_bytes) / report.items}};
  return result;
}

absl::StatusOr<std::vector<JobResult>> App::RunPipeline() {
  std::vector<JobResult> published;
  uint64_t events = 0;
  for (uint32_t p = 0; p < config()->partitions; ++p) {
    ASSIGN_OR_RETURN(const log::Offset end, log_->EndOffset(log::Topic::kEvents, p));
    events += end;
  }
  if (events != pipeline_events_) {
    absl::StatusOr<JobResult> trained = TrainCf({});
    // Impressions alone, say: nothing to learn from yet.
    if (!trained.ok() && !absl::IsFailedPrecondition(trained.status())) return std::move(trained).status();
    if (trained.ok()) published.push_back(*std::move(trained));
  }
  const std::shared_ptr<const index::LiveView> view = live_->View();
  const bool catalog_changed =
      view->snapshot() == nullptr || view->snapshot()->catalog_offset() < view->catalog_offset();
  if (!published.empty() || catalog_changed) {
    ASSIGN_OR_RETURN(JobResult built, BuildIndex());
    published.push_back(std::move(built));
  }
  pipeline_events_ = events;
  return published;
}

}  // namespace bowerbird::app
