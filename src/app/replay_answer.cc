#include "app/replay_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "app/rankers.h"
#include "base/status_macros.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;
constexpr size_t kReadRecords = 1000;
constexpr size_t kReadBytes = 8u << 20;

absl::Status Gone(const std::string& what) { return absl::FailedPreconditionError(what); }

/// Calls `visit` for the records of one partition below `end`; a false return stops.
template <typename Visit>
absl::Status ForEachRecord(const log::EventLog& log, log::Topic topic, uint32_t partition, log::Offset end,
                           const Visit& visit) {
  ASSIGN_OR_RETURN(log::Offset offset, log.BeginOffset(topic, partition));
  while (offset < end) {
    ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(topic, partition, offset, kReadRecords, kReadBytes));
    if (read.records.empty()) break;
    for (const log::Record& record : read.records) {
      if (record.offset >= end || !visit(record)) return absl::OkStatus();
    }
    offset = read.next_offset;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const config::Config>> FindConfig(App& app, const std::string& version) {
  if (app.config()->version == version) return app.config();
  // One with the changes of an experiment's arms has its version for a name.
  if (const auto of_arms = app.registry().Newest("config", version); of_arms.ok())
    return config::Load(of_arms->artifact.Path("bowerbird.toml"));
  ASSIGN_OR_RETURN(const std::vector<std::string> published, app.registry().List("config", "default"));
  for (auto it = published.rbegin(); it != published.rend(); ++it) {
    const auto artifact = app.registry().Open("config", "default", *it);
    if (!artifact.ok()) continue;
    const auto loaded = config::Load(artifact->Path("bowerbird.toml"));
    if (loaded.ok() && (*loaded)->version == version) return *loaded;
  }
  return Gone(fmt::format("config {} is not among the published ones", version));
}

namespace {

absl::StatusOr<std::shared_ptr<const index::LiveView>> MakeView(App& app, const v1::ServedRecord& record,
                                                                const std::shared_ptr<const config::Config>& config) {
  index::LiveIndex live(config);
  if (!record.snapshot().empty()) {
    const auto artifact = app.registry().Open("snapshot", "default", record.snapshot());
    if (!artifact.ok())
      return Gone(fmt::format("snapshot {}: {}", record.snapshot(), std::string(artifact.status().message())));
    ASSIGN_OR_RETURN(auto snapshot, index::Snapshot::Open(artifact->Path("snapshot.bb"), record.snapshot()));
    RETURN_IF_ERROR(live.SwapSnapshot(std::move(snapshot)));
  }
  const uint64_t from = live.View()->catalog_offset();
  uint64_t next = from;
  absl::Status applied;
  RETURN_IF_ERROR(
      ForEachRecord(app.log(), log::Topic::kCatalog, 0, record.catalog_offset(), [&](const log::Record& stored) {
        if (stored.offset < from) return true;
        // What retention has taken out leaves a gap in the offsets.
        if (stored.offset != next) return false;
        ++next;
        v1::CatalogRecord change;
        if (!change.ParseFromString(stored.value)) return true;
        if (change.change_case() != v1::CatalogRecord::kItem && change.change_case() != v1::CatalogRecord::kDeleted)
          return true;
        const index::Change told{stored.offset, catalog::ItemKey(change.item_key()),
                                 change.has_item() ? &change.item() : nullptr};
        applied = live.Apply({&told, 1});
        return applied.ok() || absl::IsFailedPrecondition(applied);
      }));
  if (applied.ok() && next < record.catalog_offset())
    return Gone(fmt::format("catalog records from offset {} on have left the log", next));
  return live.View();
}

/// Folds the events topic up to `ends` in a folder of its own.
absl::StatusOr<std::unique_ptr<state::State>> FoldUntil(App& app, const std::shared_ptr<const config::Config>& config,
                                                        const std::string& dir, std::vector<log::Offset> ends) {
  for (uint32_t p = 0; p < ends.size(); ++p) {
    ASSIGN_OR_RETURN(const log::Offset begin, app.history().BeginOffset(log::Topic::kEvents, p));
    if (begin > 0 && ends[p] > 0)
      return Gone(
          fmt::format("events of partition {} below offset {} have left the log, and are not in the lake", p, begin));
  }
  state::State::Options options;
  options.end_offsets = std::move(ends);
  options.publish = false;
  ASSIGN_OR_RETURN(auto state, state::State::Open(dir, config, &app.history(), &app.clock(), options));
  RETURN_IF_ERROR(state->CatchUp());
  return state;
}

/// Null of an empty version.
absl::StatusOr<std::shared_ptr<const rank::Trained>> PastRanker(App& app, const std::string& surface,
                                                                const std::string& version) {
  if (version.empty()) return nullptr;
  auto trained = OpenRanker(app.registry(), surface, version);
  if (!trained.ok()) return Gone(fmt::format("ranker {}: {}", version, std::string(trained.status().message())));
  return *std::move(trained);
}

/// The inputs of the rankings that the record was drafted out of.
absl::StatusOr<std::vector<serve::InterleavedArm>> PastArms(App& app, const v1::ServedRecord& record,
                                                            const serve::Inputs& inputs) {
  std::vector<serve::InterleavedArm> arms;
  for (const v1::DraftedRanking& ranking : record.draft().rankings()) {
    serve::InterleavedArm& arm = arms.emplace_back(ranking.arm(), inputs);
    ASSIGN_OR_RETURN(arm.inputs.config, FindConfig(app, ranking.config_version()));
    ASSIGN_OR_RETURN(arm.inputs.ranker.trained, PastRanker(app, record.request().surface(), ranking.ranker()));
    arm.inputs.ranker.missing =
        std::ranges::find(ranking.degraded(), serve::kRankerMissing) != ranking.degraded().end();
  }
  return arms;
}

}  // namespace

absl::StatusOr<v1::ServedRecord> FindServed(const log::EventLog& log, std::string_view request_id) {
  std::optional<v1::ServedRecord> found;
  for (uint32_t p = 0; p < log.PartitionCount(log::Topic::kServed) && !found; ++p) {
    ASSIGN_OR_RETURN(const log::Offset end, log.EndOffset(log::Topic::kServed, p));
    RETURN_IF_ERROR(ForEachRecord(log, log::Topic::kServed, p, end, [&](const log::Record& stored) {
      // Cheaper than decoding every record: the id's bytes must be somewhere in it.
      if (stored.value.find(request_id) == std::string::npos) return true;
      v1::ServedRecord record;
      if (!record.ParseFromString(stored.value) || record.request_id() != request_id) return true;
      found = std::move(record);
      return false;
    }));
  }
  if (!found) return absl::NotFoundError(fmt::format("request: found no answer '{}' in the served log", request_id));
  return *std::move(found);
}

absl::StatusOr<v1::ServedRecord> ReadServed(const log::EventLog& log, uint32_t partition, log::Offset offset) {
  ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(log::Topic::kServed, partition, offset, 1, kReadBytes));
  v1::ServedRecord record;
  if (read.records.empty() || read.records[0].offset != offset || !record.ParseFromString(read.records[0].value))
    return absl::NotFoundError("request: its record has left the served log");
  return record;
}

absl::StatusOr<serve::ReplayReport> ReplayAnswer(App& app, const v1::ServedRecord& record,
                                                 const std::string& scratch_dir) {
  std::error_code ignored;
  fs::remove_all(scratch_dir, ignored);
  serve::Inputs inputs;
  serve::RestoreFromRecord(record, &inputs);
  inputs.hasher = app.hasher();
  ASSIGN_OR_RETURN(inputs.ranker.trained, PastRanker(app, record.request().surface(), record.ranker()));
  std::vector<std::pair<std::string, std::string>> tables;
  for (const v1::ServedTable& table : record.tables()) tables.emplace_back(table.name(), table.version());
  const auto opened = app.features().OpenVersions(tables);
  if (!opened.ok()) return Gone(std::string(opened.status().message()));
  inputs.features = *opened;
  ASSIGN_OR_RETURN(inputs.config, FindConfig(app, record.config_version()));
  ASSIGN_OR_RETURN(inputs.view, MakeView(app, record, inputs.config));

  const uint32_t partitions = inputs.config->partitions;
  const catalog::UserKey user(record.user_key());
  std::vector<log::Offset> ends(partitions, 0);
  ends[catalog::PartitionOf(user, partitions)] = record.user_offset();
  ASSIGN_OR_RETURN(const auto user_state, FoldUntil(app, inputs.config, scratch_dir + "/user", ends));
  ASSIGN_OR_RETURN(inputs.user, user_state->Get(user, record.request().user()));

  ends.assign(partitions, 0);
  int64_t table_time_us = 0;
  bool table_found = record.item_table() == 0;
  ASSIGN_OR_RETURN(const log::Offset tables_end, app.log().EndOffset(log::Topic::kItemTables, 0));
  RETURN_IF_ERROR(ForEachRecord(app.log(), log::Topic::kItemTables, 0, tables_end, [&](const log::Record& stored) {
    v1::ItemTableRecord table;
    if (!table.ParseFromString(stored.value) || table.version() != record.item_table()) return true;
    table_found = true;
    table_time_us = table.time_us();
    ends.assign(table.offsets().begin(), table.offsets().end());
    return false;
  }));
  if (!table_found) return Gone(fmt::format("item table {} is not in the log", record.item_table()));
  ends.resize(partitions, 0);
  ASSIGN_OR_RETURN(const auto item_state, FoldUntil(app, inputs.config, scratch_dir + "/items", ends));
  inputs.items = record.item_table() == 0 ? item_state->item_table()
                                          : item_state->PublishItemTable(table_time_us, record.item_table());
  ASSIGN_OR_RETURN(const std::vector<serve::InterleavedArm> arms, PastArms(app, record, inputs));
  auto report = serve::ReplayRequest(record, inputs, arms);
  user_state->Stop();
  item_state->Stop();
  fs::remove_all(scratch_dir, ignored);
  return report;
}

}  // namespace bowerbird::app
