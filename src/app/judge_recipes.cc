#include "app/judge_recipes.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "app/replay_answer.h"
#include "base/status_macros.h"
#include "config/objectives.h"
#include "config/overlay.h"
#include "config/problem_list.h"
#include "fmt/format.h"
#include "rows/objectives.h"

namespace bowerbird::app {
namespace {

namespace served = experiment::served;

/// Later than anything in a log.
constexpr int64_t kEndUs = int64_t{1} << 62;

/// The span that the log has, so that one whose first answers are gone is read from where it begins.
absl::Status ChooseSpan(App& app, served::JudgeOptions* options) {
  if (options->to_us == 0) options->to_us = kEndUs;
  if (options->from_us != 0) return absl::OkStatus();
  for (uint32_t p = 0; p < app.history().PartitionCount(log::Topic::kServed); ++p) {
    ASSIGN_OR_RETURN(const log::Offset begin, app.history().BeginOffset(log::Topic::kServed, p));
    if (begin == 0) continue;
    ASSIGN_OR_RETURN(const log::ReadResult read, app.history().Read(log::Topic::kServed, p, begin, 1, 1));
    if (!read.records.empty()) options->from_us = std::max(options->from_us, read.records.front().append_time_us + 1);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<served::Judgement> JudgeRecipes(App& app, std::span<const RecipePatch> patches,
                                               served::JudgeOptions options) {
  const std::shared_ptr<const config::Config> config = app.config();
  if (config->FindSurface(options.surface) == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("surface: found \"{}\"; expected one of the config's", options.surface));
  }
  ASSIGN_OR_RETURN(const std::string text, app.ConfigText());
  ASSIGN_OR_RETURN(std::vector<config::EventObjective> declared, config::ParseObjectives(text, "bowerbird.toml"));
  const rows::Objectives objectives(*config, std::move(declared));
  std::vector<served::Recipe> recipes;
  std::vector<std::string> out_of_reach;  // by patch
  for (const RecipePatch& patch : patches) {
    ASSIGN_OR_RETURN(const config::OverlaidText patched, config::Overlay(text, patch.patch, patch.name));
    const config::ParseResult parsed =
        config::Parse(patched.text, fmt::format("{} laid over bowerbird.toml", patch.name));
    if (parsed.config == nullptr) return absl::InvalidArgumentError(config::ProblemList(parsed.problems));
    out_of_reach.push_back(served::WhyOutOfReach(options.surface, patched.changed));
    if (out_of_reach.back().empty()) recipes.push_back({patch.name, parsed.config});
  }
  RETURN_IF_ERROR(ChooseSpan(app, &options));
  const std::shared_ptr<const index::LiveView> view = app.live().View();
  served::Sources sources;
  sources.config = config.get();
  sources.objectives = &objectives;
  sources.log = &app.history();
  sources.config_of = [&app](const std::string& version) { return FindConfig(app, version); };
  sources.categories = [&view](uint64_t item) -> std::optional<std::span<const uint64_t>> {
    index::ItemHandle handle;
    if (!view->Find(catalog::ItemKey(item), &handle)) return std::nullopt;
    return view->Categories(handle);
  };
  sources.on_step = [&app] { return app.JobsCancelled(); };
  ASSIGN_OR_RETURN(served::Judgement judgement, served::JudgeRecipes(sources, recipes, options));
  std::vector<served::JudgedRecipe> judged;
  auto next = judgement.recipes.begin();
  for (size_t i = 0; i < patches.size(); ++i) {
    if (out_of_reach[i].empty()) {
      judged.push_back(std::move(*next++));
    } else {
      judged.push_back({.name = patches[i].name, .refused = out_of_reach[i]});
    }
  }
  judgement.recipes = std::move(judged);
  return judgement;
}

}  // namespace bowerbird::app
