#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "catalog/problem.h"
#include "config/patch.h"
#include "experiment/assignment/check.h"
#include "experiment/assignment/lifecycle.h"
#include "experiment/assignment/targeting.h"
#include "experiment/live/experiments.h"

namespace bowerbird::experiment::live {
namespace {

constexpr size_t kSaltBytes = 8;
constexpr size_t kExperimentsMax = 10'000;

absl::Status NotFound(std::string_view id) {
  return catalog::ToStatus({"not_found", "id", fmt::format("found no experiment '{}'", id.substr(0, 64))},
                           absl::StatusCode::kNotFound);
}

}  // namespace

absl::StatusOr<v1::Experiment> Experiments::Get(std::string_view id) const {
  std::optional<v1::Experiment> found = definitions_.Find(id);
  if (!found.has_value()) return NotFound(id);
  return *std::move(found);
}

absl::Status Experiments::CheckWhole(const v1::Experiment& experiment) const {
  ASSIGN_OR_RETURN(const RecipeSource source, sources_.recipes());
  RETURN_IF_ERROR(assignment::Check(experiment, assignment::TargetingSchema(*source.config), sources_.has_metric));
  for (int i = 0; i < experiment.metrics_size(); ++i) {
    const v1::ExperimentMetric& metric = experiment.metrics(i);
    if (!assignment::IsInterleaved(experiment) || !sources_.is_earned_by_items ||
        metric.role() != v1::ExperimentMetric::PRIMARY || sources_.is_earned_by_items(metric.name()))
      continue;
    return catalog::ToStatus(
        {"invalid_argument", fmt::format("metrics[{}].name", i),
         fmt::format("found '{}'; expected a mean or a proportion: it is to be counted by the item "
                     "that an interleaved page shows",
                     metric.name())});
  }
  ASSIGN_OR_RETURN(const std::vector<ArmEffect> effects, EffectsOf(experiment, source));
  const bool changes = std::ranges::any_of(effects, [](const ArmEffect& effect) { return !effect.surfaces.empty(); });
  if (changes && experiment.unit() != assignment::kUserUnit) {
    return catalog::ToStatus(
        {"invalid_argument", "unit",
         fmt::format("found '{}'; expected 'user' for an experiment that changes answers: requests "
                     "name no other unit",
                     experiment.unit())});
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Experiment> Experiments::Create(v1::Experiment experiment) {
  const absl::MutexLock lock(&changing_);
  assignment::FillDefaults(&experiment);
  RETURN_IF_ERROR(CheckWhole(experiment));
  if (definitions_.Find(experiment.id()).has_value()) {
    return catalog::ToStatus(
        {"already_exists", "id", fmt::format("found '{}', which exists; expected another id", experiment.id())},
        absl::StatusCode::kAlreadyExists);
  }
  if (definitions_.All().size() >= kExperimentsMax) {
    return catalog::ToStatus({"resource_exhausted", "id", fmt::format("there are {} experiments", kExperimentsMax)},
                             absl::StatusCode::kResourceExhausted);
  }
  experiment = assignment::NewDraft(std::move(experiment), base::HexEncode(base::RandomBytes(kSaltBytes)),
                                    sources_.clock->NowUs());
  RETURN_IF_ERROR(definitions_.Write(experiment));
  return experiment;
}

absl::StatusOr<v1::Experiment> Experiments::Change(
    std::string_view id, const std::function<absl::StatusOr<v1::Experiment>(v1::Experiment)>& change) {
  const absl::MutexLock lock(&changing_);
  RETURN_IF_ERROR(definitions_.Follow().status());
  ASSIGN_OR_RETURN(v1::Experiment experiment, Get(id));
  ASSIGN_OR_RETURN(v1::Experiment changed, change(std::move(experiment)));
  RETURN_IF_ERROR(definitions_.Write(changed));
  const absl::MutexLock publishing(&publishing_);
  RETURN_IF_ERROR(Publish());
  return changed;
}

absl::StatusOr<v1::Experiment> Experiments::Edit(v1::Experiment edited) {
  const std::string id = edited.id();
  return Change(id, [&](v1::Experiment experiment) -> absl::StatusOr<v1::Experiment> {
    // One that an older version wrote may lack a field that has a default by now.
    assignment::FillDefaults(&experiment);
    assignment::FillDefaults(&edited);
    RETURN_IF_ERROR(CheckWhole(edited));
    return assignment::Edit(experiment, edited);
  });
}

absl::Status Experiments::Delete(std::string_view id) {
  const absl::MutexLock lock(&changing_);
  RETURN_IF_ERROR(definitions_.Follow().status());
  ASSIGN_OR_RETURN(const v1::Experiment experiment, Get(id));
  if (experiment.state() != v1::Experiment::DRAFT) {
    return catalog::ToStatus({"failed_precondition", "state",
                              fmt::format("found {}; expected a draft: what was run is kept with its exposures",
                                          assignment::StateName(experiment.state()))},
                             absl::StatusCode::kFailedPrecondition);
  }
  return definitions_.Remove(experiment.id());
}

absl::StatusOr<v1::Experiment> Experiments::Start(std::string_view id) {
  return Change(id, [&](v1::Experiment experiment) -> absl::StatusOr<v1::Experiment> {
    // The config may be another one than when it was made.
    RETURN_IF_ERROR(CheckWhole(experiment));
    const std::vector<v1::Experiment> all = definitions_.All();
    ASSIGN_OR_RETURN(const RecipeSource source, sources_.recipes());
    RETURN_IF_ERROR(CheckConflicts(experiment, all, source));
    return assignment::Start(std::move(experiment), all, sources_.clock->NowUs());
  });
}

absl::StatusOr<v1::Experiment> Experiments::Ramp(std::string_view id, double traffic) {
  return Change(id, [&](v1::Experiment experiment) {
    return assignment::Ramp(std::move(experiment), traffic, definitions_.All(), sources_.clock->NowUs());
  });
}

absl::StatusOr<v1::Experiment> Experiments::Stop(std::string_view id, std::string reason) {
  return Change(id, [&](v1::Experiment experiment) {
    return assignment::Stop(std::move(experiment), std::move(reason), sources_.clock->NowUs());
  });
}

absl::StatusOr<v1::Experiment> Experiments::Decide(std::string_view id, std::string_view winner) {
  return Change(id, [&](v1::Experiment experiment) {
    return assignment::Decide(std::move(experiment), winner, sources_.clock->NowUs());
  });
}

absl::StatusOr<v1::DiffExperimentResponse> Experiments::Diff(std::string_view id) const {
  ASSIGN_OR_RETURN(const v1::Experiment experiment, Get(id));
  ASSIGN_OR_RETURN(const RecipeSource source, sources_.recipes());
  ASSIGN_OR_RETURN(const std::vector<ArmEffect> effects, EffectsOf(experiment, source));
  v1::DiffExperimentResponse response;
  for (const ArmEffect& effect : effects) {
    v1::ArmDiff* arm = response.add_arms();
    arm->set_arm(effect.arm);
    arm->set_config_version(effect.config->version);
    for (const std::string& surface : effect.surfaces) {
      arm->add_surfaces(surface);
      std::vector<std::string> was = config::RecipeLines(*source.config, surface);
      std::vector<std::string> is = config::RecipeLines(*effect.config, surface);
      const auto key_of = [](const std::string& line) { return line.substr(0, line.find(" = ")); };
      const auto value_of = [&](const std::vector<std::string>& lines, const std::string& key) -> std::string {
        for (const std::string& line : lines) {
          if (key_of(line) == key) return line.substr(key.size() + 3);
        }
        return "nothing";
      };
      std::vector<std::string> keys;
      for (const auto* lines : {&was, &is}) {
        for (const std::string& line : *lines) {
          if (std::ranges::find(keys, key_of(line)) == keys.end()) keys.push_back(key_of(line));
        }
      }
      for (const std::string& key : keys) {
        const std::string before = value_of(was, key), after = value_of(is, key);
        // A generator of several surfaces is told once.
        const std::string line = fmt::format("{}: {} -> {}", key, before, after);
        if (before != after && std::ranges::find(arm->lines(), line) == arm->lines().end()) arm->add_lines(line);
      }
    }
    for (const auto& [surface, version] : effect.rankers)
      arm->add_lines(fmt::format("rankers.{}: {}", surface, version.empty() ? "none" : version));
  }
  return response;
}

}  // namespace bowerbird::experiment::live
