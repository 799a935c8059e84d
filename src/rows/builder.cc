#include "rows/builder.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "base/time_text.h"
#include "fmt/format.h"
#include "rows/join.h"
#include "rows/leaks.h"
#include "rows/request.h"
#include "rows/row_writer.h"

namespace bowerbird::rows {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;
/// One build.
class Work {
 public:
  Work(const config::Config& config, const signal::Set& signals, const Objectives& objectives, const log::EventLog& log,
       lake::Lake* lake, const VersionTimes& versions, PastFeatures* past_features, const BuildOptions& options)
      : config_(config),
        signals_(signals),
        objectives_(objectives),
        log_(log),
        lake_(lake),
        options_(options),
        past_features_(past_features),
        join_(&config, &objectives, &log, {options.from_us, options.to_us, options.on_step}),
        leaks_(config, versions) {}

  absl::StatusOr<BuildResult> Run() {
    RETURN_IF_ERROR(join_.Begin());
    RETURN_IF_ERROR(leaks_.ReadItemTables(log_));
    ASSIGN_OR_RETURN(const std::vector<std::string> features, FeatureNames());
    columns_ =
        std::make_unique<RowColumns>(&config_, &signals_, &objectives_, features, options_.negatives, past_features_);
    ASSIGN_OR_RETURN(lake::TableStore * store, lake_->JobTable(std::string(kTable)));
    const absl::MutexLock lock(&store->writing());
    RowWriter writer(store, &columns_->fields());
    for (uint32_t p = 0; p < join_.partitions(); ++p) {
      ASSIGN_OR_RETURN(std::vector<Request>* const requests, join_.ReadPartition(p));
      for (const int64_t append_time_us : join_.undecodable_us()) ++InfoOf(append_time_us).refused["undecodable"];
      RETURN_IF_ERROR(WriteRows(*requests, &writer));
    }
    ASSIGN_OR_RETURN(const std::vector<lake::Part> parts, writer.Commit(options_.from_us, options_.to_us));
    for (const lake::Part& part : parts) InfoOf(part.first_us).parts.emplace_back(part.path, part.checksum);
    for (auto& [day, info] : sets_) {
      info.closed = (day + 1) * kDayUs + objectives_.window_us_max() < join_.as_of_us();
      std::ranges::sort(info.parts);
      result_.sets.push_back(std::move(info));
    }
    result_.events = join_.events();
    result_.unattributed = join_.unattributed();
    return std::move(result_);
  }

 private:
  /// The columns of the set: the features of the first record of the days, and behind them those of tables that the
  /// config's surfaces name, in the order of names, so that sets of one config have the same whatever was served.
  absl::StatusOr<std::vector<std::string>> FeatureNames() {
    ASSIGN_OR_RETURN(std::vector<std::string> names, FirstFeatureNames());
    std::erase_if(names, [&](const std::string& name) { return past_features_->IsOfTables(name); });
    std::set<std::string> of_tables;
    for (const config::Surface& surface : config_.surfaces) {
      for (const config::RankFeature& feature : surface.features) of_tables.insert(feature.name);
    }
    if (!names.empty()) names.insert(names.end(), of_tables.begin(), of_tables.end());
    return names;
  }

  absl::StatusOr<std::vector<std::string>> FirstFeatureNames() {
    std::vector<std::string> names;
    for (uint32_t p = 0; p < join_.partitions() && names.empty(); ++p) {
      RETURN_IF_ERROR(join_.ForEachServed(p, options_.from_us, options_.to_us, [&](const log::Record& record) {
        if (!record_.ParseFromString(record.value) || record_.feature_names().empty()) return absl::OkStatus();
        names.assign(record_.feature_names().begin(), record_.feature_names().end());
        return absl::CancelledError();
      }));
    }
    return names;
  }

  absl::Status WriteRows(std::vector<Request>& requests, RowWriter* writer) {
    for (Request& request : requests) {
      if (request.record.empty()) continue;
      SetInfo& info = InfoOf(request.append_time_us);
      if (request.marked) {
        ++info.refused["marked_user"];
        continue;
      }
      if (!record_.ParseFromString(request.record)) return absl::InternalError("a record that decoded does no more");
      ASSIGN_OR_RETURN(const std::string_view leak, leaks_.Find(request, record_));
      if (!leak.empty()) {
        ++info.refused[std::string(leak)];
        continue;
      }
      columns_->Append(request, record_, join_.as_of_us(), writer->BatchOf(request.append_time_us), &info);
      RETURN_IF_ERROR(writer->Added());
      request = {};
    }
    return absl::OkStatus();
  }

  SetInfo& InfoOf(int64_t append_time_us) {
    SetInfo& info = sets_[append_time_us / kDayUs];
    if (info.day.empty()) {
      info.day = DayOf(append_time_us);
      info.as_of_us = join_.as_of_us();
      columns_->Prepare(&info);
    }
    return info;
  }

  const config::Config& config_;
  const signal::Set& signals_;
  const Objectives& objectives_;
  const log::EventLog& log_;
  lake::Lake* const lake_;
  const BuildOptions& options_;
  PastFeatures* const past_features_;
  Join join_;
  Leaks leaks_;
  std::unique_ptr<RowColumns> columns_;
  std::map<int64_t, SetInfo> sets_;  ///< by day
  BuildResult result_;
  v1::ServedRecord record_;  ///< reused, so that its memory is allocated once
};

}  // namespace

std::string DayOf(int64_t time_us) { return base::FormatTimeUs(time_us).substr(0, 10); }

Builder::Builder(const config::Config* config, const signal::Set* signals, const Objectives* objectives,
                 const log::EventLog* log, lake::Lake* lake, VersionTimes versions, PastFeatures* features)
    : config_(config),
      signals_(signals),
      objectives_(objectives),
      log_(log),
      lake_(lake),
      versions_(std::move(versions)),
      features_(features) {}

absl::StatusOr<BuildResult> Builder::Build(const BuildOptions& options) {
  if (objectives_->size() == 0) {
    return absl::FailedPreconditionError(
        "objectives: found none; expected at least one [objectives.NAME] in the config: what labels are about");
  }
  if (options.from_us % kDayUs != 0 || options.to_us % kDayUs != 0 || options.from_us >= options.to_us) {
    return absl::InvalidArgumentError(fmt::format("from, to: found {} and {}; expected two days, the second one later",
                                                  DayOf(options.from_us), DayOf(options.to_us)));
  }
  const Negatives& negatives = options.negatives;
  if (!(negatives.share > 0 && negatives.share <= 1) ||
      (negatives.share < 1) != (negatives.correction != Correction::kNone)) {
    return absl::InvalidArgumentError(
        fmt::format("negatives: found {} with the correction \"{}\"; expected a share above 0 and below 1 with "
                    "\"weights\" or \"offset\", or 1 with none",
                    negatives.share, CorrectionName(negatives.correction)));
  }
  if (negatives.correction == Correction::kOffset && objectives_->size() > 1) {
    return absl::InvalidArgumentError(
        fmt::format("correction: found \"offset\" with {} objectives; expected \"weights\": what is left out has no "
                    "label of any, so that one offset fits one objective alone",
                    objectives_->size()));
  }
  return Work(*config_, *signals_, *objectives_, *log_, lake_, versions_, features_, options).Run();
}

}  // namespace bowerbird::rows
