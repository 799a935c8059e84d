#include "experiment/live/recipes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/status_macros.h"
#include "catalog/problem.h"
#include "config/patch.h"
#include "experiment/assignment/check.h"
#include "experiment/assignment/lifecycle.h"

namespace bowerbird::experiment::live {
namespace {

/// A pseudo-part of the config: `rankers.SURFACE` names a version of the surface's trained ranker.
constexpr std::string_view kRankers = "rankers.";

struct Parts {
  std::vector<config::Change> changes;
  std::vector<std::pair<std::string, std::string>> rankers;
};

absl::Status Refuse(int arm, std::string_view detail) {
  return catalog::ToStatus({"invalid_argument", fmt::format("arms[{}].changes", arm), std::string(detail)});
}

absl::StatusOr<std::string> VersionText(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
    return std::string(value.substr(1, value.size() - 2));
  return absl::InvalidArgumentError(
      fmt::format("found {}; expected a version of the surface's ranker such as \"000012\", or \"\" for none", value));
}

absl::StatusOr<Parts> PartsOf(const v1::ExperimentArm& arm) {
  Parts parts;
  for (const v1::ConfigChange& change : arm.changes()) {
    if (!change.path().starts_with(kRankers)) {
      parts.changes.push_back({change.path(), change.value()});
      continue;
    }
    ASSIGN_OR_RETURN(std::string version, VersionText(change.value()));
    parts.rankers.emplace_back(change.path().substr(kRankers.size()), std::move(version));
  }
  return parts;
}

/// The config with changes; null: there are none.
absl::StatusOr<std::shared_ptr<const config::Config>> Changed(const std::vector<config::Change>& changes,
                                                              const RecipeSource& source, std::string* text) {
  if (changes.empty()) return nullptr;
  ASSIGN_OR_RETURN(*text, config::Patched(source.text, changes));
  config::ParseResult parsed = config::Parse(*text, "");
  if (parsed.config == nullptr) {
    std::string problems;
    for (const config::Problem& problem : parsed.problems) {
      // The line is of a text that nobody has written.
      fmt::format_to(std::back_inserter(problems), "{}{}: found {}; expected {}", problems.empty() ? "" : "\n",
                     problem.key, problem.found, problem.expected);
    }
    return absl::InvalidArgumentError(problems);
  }
  const auto names = [](const config::Config& one) {
    std::vector<std::string> all;
    all.reserve(one.surfaces.size());
    for (const config::Surface& surface : one.surfaces) all.push_back(surface.name);
    return all;
  };
  if (names(*parsed.config) != names(*source.config)) {
    return absl::InvalidArgumentError(
        "found a surface that the config has not; expected changes of surfaces that are there: a new one is put into "
        "the config first");
  }
  return parsed.config;
}

std::vector<std::string> LinesOf(const ArmEffect& effect, std::string_view surface) {
  std::vector<std::string> lines = config::RecipeLines(*effect.config, surface);
  for (const auto& [of, version] : effect.rankers) {
    if (of == surface) lines.push_back("rankers = " + version);
  }
  return lines;
}

/// Whether one of two dotted paths leads to or through the other.
bool Overlap(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return b.starts_with(a) && (a.size() == b.size() || b[a.size()] == '.');
}

}  // namespace

absl::StatusOr<std::vector<ArmEffect>> EffectsOf(const v1::Experiment& experiment, const RecipeSource& source) {
  std::vector<ArmEffect> effects;
  for (int i = 0; i < experiment.arms_size(); ++i) {
    ArmEffect effect;
    effect.arm = experiment.arms(i).name();
    absl::StatusOr<Parts> parts = PartsOf(experiment.arms(i));
    if (!parts.ok()) return Refuse(i, std::string(parts.status().message()));
    std::string text;
    const auto config = Changed(parts->changes, source, &text);
    if (!config.ok()) return Refuse(i, std::string(config.status().message()));
    effect.config = *config == nullptr ? source.config : *config;
    for (const auto& [surface, version] : parts->rankers) {
      if (source.config->FindSurface(surface) == nullptr)
        return Refuse(i, fmt::format("rankers.{}: expected the name of a surface", surface));
      const auto ranker = version.empty() ? absl::StatusOr<serve::RankerChoice>(serve::RankerChoice())
                                          : source.ranker(surface, version);
      if (!ranker.ok())
        return Refuse(i, fmt::format("rankers.{}: {}", surface, std::string(ranker.status().message())));
    }
    effect.rankers = std::move(parts->rankers);
    for (const config::Surface& surface : source.config->surfaces) {
      const bool ranks =
          std::ranges::any_of(effect.rankers, [&](const auto& one) { return one.first == surface.name; });
      if (ranks || (effect.config != source.config && config::RecipeLines(*effect.config, surface.name) !=
                                                          config::RecipeLines(*source.config, surface.name))) {
        effect.surfaces.push_back(surface.name);
      }
    }
    effects.push_back(std::move(effect));
  }
  return effects;
}

std::vector<std::string> ChangedSurfaces(std::span<const ArmEffect> effects, const RecipeSource& source) {
  std::vector<std::string> surfaces;
  for (const config::Surface& surface : source.config->surfaces) {
    const std::vector<std::string> first = LinesOf(effects.front(), surface.name);
    const bool differs = std::ranges::any_of(
        effects.subspan(1), [&](const ArmEffect& effect) { return LinesOf(effect, surface.name) != first; });
    if (differs) surfaces.push_back(surface.name);
  }
  return surfaces;
}

namespace {

/// A page is drafted by one experiment at most.
absl::Status CheckDrafts(const v1::Experiment& experiment, std::span<const v1::Experiment> running,
                         const RecipeSource& source) {
  if (!assignment::IsInterleaved(experiment)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<ArmEffect> effects, EffectsOf(experiment, source));
  const std::vector<std::string> surfaces = ChangedSurfaces(effects, source);
  for (const v1::Experiment& other : running) {
    if (other.state() != v1::Experiment::RUNNING || other.id() == experiment.id() ||
        !assignment::IsInterleaved(other) || assignment::LayerOf(other) == assignment::LayerOf(experiment))
      continue;
    const auto of_other = EffectsOf(other, source);
    if (!of_other.ok()) continue;
    for (const std::string& surface : ChangedSurfaces(*of_other, source)) {
      if (std::ranges::find(surfaces, surface) == surfaces.end()) continue;
      return catalog::ToStatus(
          {"failed_precondition", "design",
           fmt::format("answers of surface '{}' are interleaved by experiment '{}', too, which runs in another layer; "
                       "expected both in one layer, so that no page is drafted by both",
                       surface, other.id())},
          absl::StatusCode::kFailedPrecondition);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckConflicts(const v1::Experiment& experiment, std::span<const v1::Experiment> running,
                            const RecipeSource& source) {
  const std::string layer = assignment::LayerOf(experiment);
  RETURN_IF_ERROR(CheckDrafts(experiment, running, source));
  const auto refuse = [](int arm, std::string_view field, std::string_view what, const v1::Experiment& other) {
    return catalog::ToStatus(
        {"failed_precondition", fmt::format("arms[{}].{}", arm, field),
         fmt::format(
             "'{}' is changed by experiment '{}', too, which runs in another layer; expected both in one layer, "
             "so that nobody is in both",
             what, other.id())},
        absl::StatusCode::kFailedPrecondition);
  };
  for (const v1::Experiment& other : running) {
    if (other.state() != v1::Experiment::RUNNING || other.id() == experiment.id()) continue;
    const bool same_layer = assignment::LayerOf(other) == layer;
    for (int i = 0; i < experiment.arms_size(); ++i) {
      for (const v1::ExperimentArm& arm : other.arms()) {
        for (const v1::ConfigChange& change : experiment.arms(i).changes()) {
          for (const v1::ConfigChange& taken : arm.changes()) {
            if (!same_layer && Overlap(change.path(), taken.path())) return refuse(i, "changes", change.path(), other);
          }
        }
        for (const auto& [flag, value] : experiment.arms(i).flags()) {
          const auto taken = arm.flags().find(flag);
          if (taken == arm.flags().end()) continue;
          if (!same_layer) return refuse(i, "flags", flag, other);
          if (taken->second.kind_case() != value.kind_case()) {
            return catalog::ToStatus(
                {"failed_precondition", fmt::format("arms[{}].flags.{}", i, flag),
                 fmt::format("found another type than in experiment '{}', which runs; expected the same", other.id())},
                absl::StatusCode::kFailedPrecondition);
          }
        }
      }
    }
  }
  return absl::OkStatus();
}

Recipes::Recipes(std::shared_ptr<const assignment::Assigner> assigner, RecipeSource source)
    : assigner_(std::move(assigner)), source_(std::move(source)) {
  for (uint32_t i = 0; i < assigner_->running().size(); ++i) {
    const v1::Experiment& experiment = assigner_->running()[i].definition;
    auto effects = EffectsOf(experiment, source_);
    if (!effects.ok()) {
      source_.on_warning(fmt::format("experiment '{}' changes nothing, because it fits the config no more: {}",
                                     experiment.id(), std::string(effects.status().message())));
      effects_.emplace_back();
      continue;
    }
    Effect effect{*std::move(effects), {}};
    effect.exposing = ChangedSurfaces(effect.arms, source_);
    std::set<std::string> touched(effect.exposing.begin(), effect.exposing.end());
    for (const ArmEffect& arm : effect.arms) touched.insert(arm.surfaces.begin(), arm.surfaces.end());
    for (const std::string& surface : touched) by_surface_[surface].push_back(i);
    effects_.push_back(std::move(effect));
  }
  for (const auto& [surface, experiments] : by_surface_) MakeAhead(surface);
}

void Recipes::MakeAhead(const std::string& surface) {
  // A user has at most one arm in each layer.
  std::map<uint32_t, std::vector<Chosen>> layers;
  for (const uint32_t experiment : by_surface_[surface]) {
    for (size_t arm = 0; arm < effects_[experiment].arms.size(); ++arm)
      layers[assigner_->running()[experiment].layer].emplace_back(experiment, static_cast<int32_t>(arm));
  }
  std::vector<std::vector<Chosen>> combinations = {{}};
  for (const auto& [layer, choices] : layers) {
    const size_t before = combinations.size();
    if (before * (choices.size() + 1) > kAheadMax) return;
    for (size_t i = 0; i < before; ++i) {
      for (const Chosen& choice : choices) {
        combinations.push_back(combinations[i]);
        combinations.back().push_back(choice);
      }
    }
  }
  for (std::vector<Chosen>& combination : combinations) {
    std::ranges::sort(combination);
    const auto recipe = RecipeOf(surface, combination);
    if (!recipe.ok())
      source_.on_warning(fmt::format("surface '{}': {}", surface, std::string(recipe.status().message())));
  }
}

absl::StatusOr<serve::Recipe> Recipes::Make(std::string_view surface, std::span<const Chosen> chosen) const {
  std::vector<config::Change> changes;
  serve::Recipe recipe;
  for (const auto& [experiment, arm] : chosen) {
    ASSIGN_OR_RETURN(Parts parts, PartsOf(assigner_->running()[experiment].arm(arm)));
    std::ranges::move(parts.changes, std::back_inserter(changes));
    for (const auto& [of, version] : parts.rankers) {
      if (of != surface) continue;
      recipe.ranker.emplace();
      if (version.empty()) continue;
      ASSIGN_OR_RETURN(recipe.ranker, source_.ranker(of, version));
    }
  }
  std::string text;
  ASSIGN_OR_RETURN(recipe.config, Changed(changes, source_, &text));
  if (recipe.config != nullptr) RETURN_IF_ERROR(source_.publish(text, recipe.config->version));
  return recipe;
}

absl::StatusOr<serve::Recipe> Recipes::RecipeOf(std::string_view surface, std::span<const Chosen> chosen) {
  // Arms that leave the surface alone need no config of their own.
  std::vector<Chosen> matter;
  std::string key(surface);
  for (const Chosen& one : chosen) {
    const std::vector<std::string>& surfaces = effects_[one.first].arms[static_cast<size_t>(one.second)].surfaces;
    if (std::ranges::find(surfaces, surface) == surfaces.end()) continue;
    matter.push_back(one);
    fmt::format_to(std::back_inserter(key), " {}:{}", one.first, one.second);
  }
  if (matter.empty()) return serve::Recipe();
  {
    const absl::MutexLock lock(&mutex_);
    const auto found = recipes_.find(key);
    if (found != recipes_.end()) return found->second;
  }
  ASSIGN_OR_RETURN(serve::Recipe recipe, Make(surface, matter));
  const absl::MutexLock lock(&mutex_);
  if (recipes_.size() >= kRecipesMax) recipes_.clear();
  recipes_.insert_or_assign(std::move(key), recipe);
  return recipe;
}

bool Recipes::InAllArms(const assignment::Assignment& hit) const {
  return assignment::IsInterleaved(assigner_->running()[hit.experiment].definition) &&
         hit.why != assignment::Why::kForced;
}

void Recipes::AddInterleaved(std::string_view surface, std::vector<Chosen> chosen, size_t drafted, serve::Arms* arms) {
  const Effect& effect = effects_[chosen[drafted].first];
  serve::Arms::Interleaved interleaved;
  interleaved.arm = drafted;
  for (size_t arm = 0; arm < effect.arms.size(); ++arm) {
    chosen[drafted].second = static_cast<int32_t>(arm);
    absl::StatusOr<serve::Recipe> recipe = RecipeOf(surface, chosen);
    if (!recipe.ok()) {
      if (failed_.fetch_add(1) == 0)
        source_.on_warning(fmt::format("surface '{}': {}", surface, std::string(recipe.status().message())));
      return;
    }
    interleaved.rankings.push_back({effect.arms[arm].arm, *std::move(recipe)});
  }
  arms->interleaved = std::move(interleaved);
}

serve::Arms Recipes::Choose(std::string_view surface, std::span<const assignment::Assignment> hits) {
  const auto touching = by_surface_.find(surface);
  if (touching == by_surface_.end()) return {};
  std::vector<const assignment::Assignment*> of_surface;
  for (const assignment::Assignment& hit : hits) {
    if (std::ranges::binary_search(touching->second, hit.experiment)) of_surface.push_back(&hit);
  }
  if (of_surface.empty()) return {};
  // Of equal arms one recipe, whatever the order of the hits.
  std::ranges::sort(of_surface, {}, &assignment::Assignment::experiment);
  std::vector<Chosen> chosen;
  chosen.reserve(of_surface.size());
  // Where a page is drafted out of all arms, everything else about it is the control's.
  std::optional<size_t> drafted;
  for (const assignment::Assignment* hit : of_surface) {
    const std::vector<std::string>& exposing = effects_[hit->experiment].exposing;
    const bool in_all = InAllArms(*hit);
    if (in_all && !drafted.has_value() && std::ranges::find(exposing, surface) != exposing.end())
      drafted = chosen.size();
    chosen.emplace_back(hit->experiment, in_all ? 0 : hit->arm);
  }
  serve::Arms arms;
  absl::StatusOr<serve::Recipe> recipe = RecipeOf(surface, chosen);
  if (!recipe.ok()) {
    if (failed_.fetch_add(1) == 0)
      source_.on_warning(fmt::format("surface '{}': {}", surface, std::string(recipe.status().message())));
    return {};
  }
  arms.recipe = *std::move(recipe);
  for (size_t i = 0; i < chosen.size(); ++i) {
    const assignment::Running& running = assigner_->running()[chosen[i].first];
    const Effect& effect = effects_[chosen[i].first];
    v1::ServedArm& served = arms.served.emplace_back();
    served.set_experiment(running.definition.id());
    served.set_arm(running.arm(chosen[i].second).name());
    served.set_revision(running.definition.revision());
    served.set_phase(running.phase);
    served.set_forced(of_surface[i]->why == assignment::Why::kForced);
    if (InAllArms(*of_surface[i])) {
      served.set_arm(std::string(assignment::kAllArms));
      if (drafted == i) AddInterleaved(surface, chosen, i, &arms);
      continue;
    }
    if (std::ranges::find(effect.exposing, surface) == effect.exposing.end()) continue;
    if (running.definition.trigger() != assignment::kTriggerAnswer) {
      served.set_exposed(true);
      continue;
    }
    const int32_t own = chosen[i].second;
    for (int32_t arm = 0; arm < running.definition.arms_size(); ++arm) {
      if (arm == own) continue;
      chosen[i].second = arm;
      absl::StatusOr<serve::Recipe> other = RecipeOf(surface, chosen);
      // What cannot be compared counts as different: in every arm alike.
      if (!other.ok()) served.set_exposed(true);
      if (other.ok() &&
          (other->config != arms.recipe.config || other->ranker.has_value() || arms.recipe.ranker.has_value())) {
        arms.others.push_back({i, *std::move(other)});
      }
    }
    chosen[i].second = own;
  }
  return arms;
}

}  // namespace bowerbird::experiment::live
