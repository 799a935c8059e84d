#include "app/rows_job.h"

#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "app/past_tables.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "config/objectives.h"
#include "fmt/format.h"
#include "rows/builder.h"
#include "signal/definition.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

constexpr char kSetFile[] = "set.json";
constexpr int64_t kDayUs = 86'400'000'000;
/// Of one day: an earlier build may be asked about.
constexpr uint32_t kSetsKept = 3;

/// What a version's manifest says of when its training ended. NotFound: there is no such version, or it does not say.
absl::StatusOr<int64_t> TrainedUntilUs(const registry::Registry& registry, std::string_view kind, std::string_view name,
                                       std::string_view version) {
  ASSIGN_OR_RETURN(const registry::Manifest manifest, registry.Describe(kind, name, version));
  simdjson::dom::parser parser;
  simdjson::dom::element inputs;
  int64_t until_us = 0;
  if (parser.parse(manifest.inputs_json).get(inputs) || inputs["trained_until_us"].get(until_us))
    return absl::NotFoundError(fmt::format("{}/{}/{}: its inputs do not say when they ended", kind, name, version));
  return until_us;
}

/// Of the model in a snapshot; 0 for one without.
absl::StatusOr<int64_t> SnapshotUntilUs(const registry::Registry& registry, std::string_view version) {
  ASSIGN_OR_RETURN(const registry::Manifest manifest, registry.Describe("snapshot", "default", version));
  simdjson::dom::parser parser;
  simdjson::dom::element inputs;
  std::string_view cf;
  if (parser.parse(manifest.inputs_json).get(inputs) || inputs["cf"].get(cf))
    return absl::NotFoundError(fmt::format("snapshot {}: its inputs do not name a model", version));
  if (cf.empty()) return 0;
  return TrainedUntilUs(registry, "cf", "default", cf);
}

rows::VersionTimes TimesOf(const registry::Registry& registry, const features::Tables& tables) {
  rows::VersionTimes times;
  times.features = [&tables](std::string_view table, std::string_view version) -> absl::StatusOr<int64_t> {
    ASSIGN_OR_RETURN(const features::VersionTime time, tables.TimeOf(table, version));
    return std::max(time.created_us, time.as_of_us);
  };
  times.snapshot = [&registry](std::string_view version) { return SnapshotUntilUs(registry, version); };
  times.ranker = [&registry](std::string_view surface, std::string_view version) {
    auto until_us = TrainedUntilUs(registry, "ranker", surface, version);
    // A surface whose name no artifact can have never had one.
    if (absl::IsInvalidArgument(until_us.status())) return absl::StatusOr<int64_t>(absl::NotFoundError(""));
    return until_us;
  };
  return times;
}

/// Append times of the first and the last served record that there is; nothing was served: {0, 0}. Where the first ones
/// are gone, the first is of the next day: one that is whole.
absl::StatusOr<std::pair<int64_t, int64_t>> ServedSpan(const log::EventLog& log) {
  int64_t first_us = std::numeric_limits<int64_t>::max(), last_us = 0, partial_us = -1;
  for (uint32_t p = 0; p < log.PartitionCount(log::Topic::kServed); ++p) {
    ASSIGN_OR_RETURN(const log::Offset begin, log.BeginOffset(log::Topic::kServed, p));
    ASSIGN_OR_RETURN(const log::Offset end, log.EndOffset(log::Topic::kServed, p));
    if (begin == end) continue;
    for (const log::Offset at : {begin, end - 1}) {
      ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(log::Topic::kServed, p, at, 1, 1));
      if (read.records.empty()) continue;
      first_us = std::min(first_us, read.records.front().append_time_us);
      last_us = std::max(last_us, read.records.front().append_time_us);
      if (at == begin && begin > 0) partial_us = std::max(partial_us, read.records.front().append_time_us);
    }
  }
  if (partial_us >= 0) first_us = std::max(first_us, (partial_us / kDayUs + 1) * kDayUs);
  return last_us == 0 ? std::pair<int64_t, int64_t>() : std::pair(first_us, last_us);
}

absl::StatusOr<rows::SetInfo> ReadSet(const registry::Registry& registry, const std::string& day) {
  ASSIGN_OR_RETURN(const registry::NewestArtifact newest, registry.Newest("rows", day));
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(newest.artifact.Path(kSetFile)));
  return rows::SetInfo::FromJson(text);
}

absl::Status PublishSet(App& app, const rows::SetInfo& set) {
  registry::Contents contents;
  contents.write = [&](const std::string& folder) {
    return store::AtomicWriteFile(folder + "/" + kSetFile, set.ToJson());
  };
  std::string inputs;
  base::JsonWriter(&inputs)
      .BeginObject()
      .Key("config_version")
      .String(set.config_version)
      .Key("as_of_us")
      .Int(set.as_of_us)
      .EndObject();
  contents.inputs_json = inputs;
  contents.metrics = {{"rows", static_cast<double>(set.rows)}, {"candidates", static_cast<double>(set.candidates)}};
  RETURN_IF_ERROR(app.registry().Publish("rows", set.day, contents).status());
  return app.registry().Prune("rows", set.day, kSetsKept).status();
}

/// Days that the table has parts of.
absl::StatusOr<std::set<std::string>> DaysOf(App& app) {
  ASSIGN_OR_RETURN(lake::TableStore * store, app.lake().JobTable(std::string(rows::kTable)));
  std::set<std::string> days;
  for (const lake::Part& part : store->manifest()->parts) days.insert(rows::DayOf(part.first_us));
  return days;
}

absl::Status ChooseDays(App& app, RowsOptions* options) {
  ASSIGN_OR_RETURN(const auto span, ServedSpan(app.history()));
  if (span.second == 0 && (options->from_us == 0 || options->to_us == 0)) {
    return absl::FailedPreconditionError("served: found no record in the log; expected answers to make rows of");
  }
  if (options->to_us == 0) options->to_us = span.second / kDayUs * kDayUs + kDayUs;
  if (options->from_us != 0) return absl::OkStatus();
  options->from_us = span.first / kDayUs * kDayUs;
  while (options->from_us + kDayUs < options->to_us) {
    const auto set = ReadSet(app.registry(), rows::DayOf(options->from_us));
    if (!set.ok() || !set->closed || set->config_version != app.config()->version) break;
    options->from_us += kDayUs;
  }
  return absl::OkStatus();
}

void WriteSet(const rows::SetInfo& set, base::JsonWriter* json) {
  json->Key("day").String(set.day).Key("rows").Uint(set.rows).Key("candidates").Uint(set.candidates);
  json->Key("shown").Uint(set.shown).Key("closed").Bool(set.closed);
  json->Key("seen_by").BeginObject().Key("impressions").Uint(set.by_impressions);
  json->Key("last_position").Uint(set.by_last_position).Key("nothing").Uint(set.by_nothing).EndObject();
  json->Key("negatives").Double(set.negatives).Key("correction").String(rows::CorrectionName(set.correction));
  json->Key("log_odds_offset").Double(set.log_odds_offset).Key("negatives_left_out").Uint(set.negatives_left_out);
  json->Key("labels").BeginObject();
  for (const rows::ObjectiveInfo& objective : set.objectives) {
    json->Key(objective.name).BeginObject().Key("labels").Uint(objective.stats.labels);
    json->Key("nulls").Uint(objective.stats.nulls).Key("rate").Double(objective.stats.Rate()).EndObject();
  }
  json->EndObject().Key("features_gone").Uint(set.features_gone).Key("refused").BeginObject();
  for (const auto& [reason, count] : set.refused) json->Key(reason).Uint(count);
  json->EndObject();
}

}  // namespace

uint64_t RowsReport::leaks() const {
  uint64_t leaks = 0;
  for (const rows::SetInfo& set : sets) {
    for (const auto& [reason, count] : set.refused) leaks += reason.starts_with("future_") ? count : 0;
  }
  return leaks;
}

std::string RowsReport::ToJson() const {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("sets").BeginArray();
  uint64_t candidates = 0;
  for (const rows::SetInfo& set : sets) {
    json.BeginObject();
    WriteSet(set, &json);
    json.EndObject();
    candidates += set.candidates;
  }
  json.EndArray().Key("events").Uint(events).Key("unattributed").Uint(unattributed).Key("leaks").Uint(leaks());
  json.Key("seconds").Double(seconds);
  json.Key("candidates_per_second").Double(seconds > 0 ? static_cast<double>(candidates) / seconds : 0).EndObject();
  return text;
}

absl::StatusOr<RowsReport> BuildRows(App& app, const RowsOptions& asked) {
  RowsReport report;
  const auto job = [&]() -> absl::StatusOr<JobResult> {
    const int64_t start_us = base::MonotonicUs();
    RowsOptions options = asked;
    RETURN_IF_ERROR(ChooseDays(app, &options));
    const std::shared_ptr<const config::Config> config = app.config();
    ASSIGN_OR_RETURN(const std::string text, app.ConfigText());
    ASSIGN_OR_RETURN(std::vector<config::EventObjective> declared, config::ParseObjectives(text, "bowerbird.toml"));
    const rows::Objectives objectives(*config, std::move(declared));
    const signal::Set signals(*config);
    PastTables past(app.features().Get(), app.hasher());
    rows::Builder builder(config.get(), &signals, &objectives, &app.history(), &app.lake(),
                          TimesOf(app.registry(), app.features()), &past);
    rows::BuildOptions build;
    build.from_us = options.from_us;
    build.to_us = options.to_us;
    build.negatives = {options.negatives, options.correction};
    build.on_step = [&] { return app.JobsCancelled(); };
    ASSIGN_OR_RETURN(rows::BuildResult built, builder.Build(build));
    for (const rows::SetInfo& set : built.sets) RETURN_IF_ERROR(PublishSet(app, set));
    report.sets = std::move(built.sets);
    report.events = built.events;
    report.unattributed = built.unattributed;
    report.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
    return JobResult();
  };
  RETURN_IF_ERROR(app.RunJob(job).status());
  return report;
}

std::vector<std::string> SetReport::Refusals() const {
  std::vector<std::string> refusals;
  for (const rows::Bound& bound : bounds) {
    if (!bound.Holds()) refusals.push_back(bound.ToString());
  }
  return refusals;
}

absl::StatusOr<std::vector<SetReport>> ReportRows(App& app) {
  ASSIGN_OR_RETURN(const std::set<std::string> days, DaysOf(app));
  std::vector<rows::SetInfo> sets;
  for (const std::string& day : days) {
    ASSIGN_OR_RETURN(rows::SetInfo set, ReadSet(app.registry(), day));
    sets.push_back(std::move(set));
  }
  std::vector<SetReport> reports;
  for (size_t i = 0; i < sets.size(); ++i)
    reports.push_back({sets[i], rows::LearnBounds(std::span(sets).first(i), sets[i])});
  return reports;
}

std::string ReportJson(const std::vector<SetReport>& sets) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("sets").BeginArray();
  for (const SetReport& set : sets) {
    json.BeginObject();
    WriteSet(set.info, &json);
    json.Key("bounds").Uint(set.bounds.size()).Key("refusals").BeginArray();
    for (const std::string& refusal : set.Refusals()) json.String(refusal);
    json.EndArray().EndObject();
  }
  json.EndArray().EndObject();
  return text;
}

}  // namespace bowerbird::app
