#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "app/judge_recipes.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/first_pages.h"
#include "cli/ope_recipes.h"
#include "cli/progress.h"
#include "cli/simulated_app.h"
#include "cli/temporary_folder.h"
#include "cli/training.h"
#include "config/overlay.h"
#include "experiment/ope/estimate_json.h"

namespace bowerbird::cli {
namespace {

namespace ope = experiment::ope;
namespace served = experiment::served;

constexpr int64_t kDayUs = 86'400'000'000;
/// When the history ends: a midnight of UTC.
constexpr int64_t kBeginUs = 20'454 * kDayUs;  // 2026-01-01
/// Chosen before any recipe was looked at: what a user does further down depends on what stands above and on nothing
/// below, which is what this estimator relies on, and it has less spread than rips.
constexpr ope::Estimator kEstimator = ope::Estimator::kCascadeDr;
constexpr uint32_t kResamples = 2000;
/// What must come out.
constexpr double kCoverageMin = 0.9, kSpearmanMin = 0.8;

void Say(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

/// What a recipe earned where it was deployed.
struct Deployed {
  absl::Status status;
  double value = 0;
  ope::Interval interval;
  std::vector<double> resampled;
};

/// A recipe, judged and deployed.
struct Compared {
  const OpeRecipe* recipe = nullptr;
  served::JudgedRecipe judged;
  Deployed deployed;
  ope::Interval difference;  ///< of judged - deployed, with the noise of both
  bool covered = false;      ///< it holds 0
  bool contains = false;     ///< the judged interval holds the deployed value, as if that had no noise

  bool has_verdict() const { return judged.refused.empty(); }
};

std::shared_ptr<const config::Config> ConfigOf(const OpeRecipe& recipe) {
  const auto patched = config::Overlay(kOpeConfig, recipe.patch, recipe.name);
  return patched.ok() ? config::Parse(patched->text, recipe.name).config : nullptr;
}

/// All at once, by as many threads as the machine has.
std::vector<Deployed> Deploy(const FirstPages& pages, std::span<const OpeRecipe> recipes, uint64_t requests,
                             uint64_t seed) {
  std::vector<Deployed> all(recipes.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < recipes.size(); i = next++) {
      Deployed& deployed = all[i];
      const std::shared_ptr<const config::Config> config = ConfigOf(recipes[i]);
      if (config == nullptr) {
        deployed.status = absl::InternalError(fmt::format("{}: its config is refused", recipes[i].name));
        continue;
      }
      // Everyone's requests are their own: seeds 2 and on, where the log has 1.
      const auto earned = pages.Deploy(config, FirstPages::Half::kDeployed, requests, base::CombineHash(seed, 2 + i));
      deployed.status = earned.status();
      if (!earned.ok()) continue;
      deployed.value = ope::ValueOf(*earned);
      deployed.resampled = ope::Resample(*earned, kResamples, base::CombineHash(seed, 1'000 + i));
      deployed.interval = ope::PercentileInterval(deployed.resampled);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 1; t < std::max(1u, std::thread::hardware_concurrency()); ++t) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  return all;
}

void Compare(Compared* compared) {
  if (!compared->has_verdict()) return;
  const ope::Estimate& estimate = compared->judged.estimate;
  const Deployed& deployed = compared->deployed;
  // The halves of the users are independent, and so are the resamples.
  std::vector<double> differences = estimate.resampled;
  for (size_t i = 0; i < differences.size(); ++i) differences[i] -= deployed.resampled[i];
  compared->difference = ope::PercentileInterval(std::move(differences));
  compared->covered = compared->difference.low <= 0 && compared->difference.high >= 0;
  compared->contains = estimate.bootstrap.low <= deployed.value && estimate.bootstrap.high >= deployed.value;
}

/// Mid-ranks.
std::vector<double> RanksOf(const std::vector<double>& values) {
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    for (const double other : values) ranks[i] += other < values[i] ? 1 : other == values[i] ? 0.5 : 0;
  }
  return ranks;
}

/// Nothing for fewer than three, or where one side does not differ.
std::optional<double> Spearman(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() < 3) return std::nullopt;
  const std::vector<double> x = RanksOf(a), y = RanksOf(b);
  const double mean = static_cast<double>(a.size()) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  if (!(xx > 0 && yy > 0)) return std::nullopt;
  return xy / std::sqrt(xx * yy);
}

struct Totals {
  uint32_t verdicts = 0, covered = 0, contains = 0, refused = 0, unsupported = 0, unsupported_refused = 0;
  std::optional<double> spearman;

  double coverage() const { return verdicts == 0 ? 0 : static_cast<double>(covered) / verdicts; }
};

Totals Count(const std::vector<Compared>& all) {
  Totals totals;
  std::vector<double> judged, deployed;
  for (const Compared& compared : all) {
    totals.unsupported += compared.recipe->unsupported ? 1 : 0;
    if (!compared.has_verdict()) {
      ++totals.refused;
      totals.unsupported_refused += compared.recipe->unsupported ? 1 : 0;
      continue;
    }
    ++totals.verdicts;
    totals.covered += compared.covered ? 1 : 0;
    totals.contains += compared.contains ? 1 : 0;
    judged.push_back(compared.judged.estimate.value);
    deployed.push_back(compared.deployed.value);
  }
  totals.spearman = Spearman(judged, deployed);
  return totals;
}

void WriteRow(const Compared& compared, base::JsonWriter* json) {
  const ope::Estimate& estimate = compared.judged.estimate;
  const bool verdict = compared.has_verdict();
  const auto if_verdict = [&](double value) { return verdict ? std::optional(value) : std::nullopt; };
  json->BeginObject().Key("recipe").String(compared.recipe->name).Key("estimator").String(ope::NameOf(kEstimator));
  ope::WriteNumber(json, "value", if_verdict(estimate.value));
  ope::WriteNumber(json, "low", if_verdict(estimate.bootstrap.low));
  ope::WriteNumber(json, "high", if_verdict(estimate.bootstrap.high));
  json->Key("deployed").Double(compared.deployed.value).Key("deployed_low").Double(compared.deployed.interval.low);
  json->Key("deployed_high").Double(compared.deployed.interval.high);
  ope::WriteNumber(json, "difference_low", if_verdict(compared.difference.low));
  ope::WriteNumber(json, "difference_high", if_verdict(compared.difference.high));
  json->Key("covered");
  if (verdict) {
    json->Bool(compared.covered).Key("contains").Bool(compared.contains).Key("refused").Null();
  } else {
    json->Null().Key("contains").Null().Key("refused").String(compared.judged.refused);
  }
  json->Key("unsupported").Bool(compared.recipe->unsupported);
  json->Key("ess").Double(estimate.diagnostics.all.effective).Key("left_out").BeginObject();
  for (const auto& [why, count] : compared.judged.left_out) json->Key(why).Uint(count);
  json->EndObject().Key("patch").String(compared.recipe->patch);
  if (estimate.diagnostics.requests > 0) ope::WriteDiagnostics(json, estimate.diagnostics);
  json->EndObject();
}

void PrintJson(const SimOpeOptions& options, const served::Judgement& judgement, const std::vector<Compared>& all,
               const Totals& totals) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("family").String(options.family).Key("seed").Uint(options.seed);
  json.Key("answers").Uint(judgement.answers).Key("earned").Double(judgement.earned);
  json.Key("interval").String("95%, percentile bootstrap by user").Key("left_out").BeginObject();
  for (const auto& [why, count] : judgement.left_out) json.Key(why).Uint(count);
  json.EndObject().Key("rows").BeginArray();
  for (const Compared& compared : all) WriteRow(compared, &json);
  json.EndArray().Key("recipes").Uint(all.size()).Key("verdicts").Uint(totals.verdicts);
  json.Key("covered").Uint(totals.covered).Key("coverage").Double(totals.coverage());
  json.Key("contains").Uint(totals.contains);
  ope::WriteNumber(&json, "spearman", totals.spearman);
  json.Key("refused").Uint(totals.refused).Key("unsupported").Uint(totals.unsupported);
  json.Key("unsupported_refused").Uint(totals.unsupported_refused).EndObject();
  std::printf("%s\n", text.c_str());
}

void PrintTable(const served::Judgement& judgement, const std::vector<Compared>& all, const Totals& totals) {
  std::printf("%s drawn answers earned %.4f each; 95%% intervals, by user\n\n", Thousands(judgement.answers).c_str(),
              judgement.earned);
  std::printf("%-20s %8s %17s %9s %17s %8s %8s\n", "recipe", "judged", "", "deployed", "", "covered", "ess");
  const auto interval = [](const ope::Interval& of) { return fmt::format("{:.4f} to {:.4f}", of.low, of.high); };
  for (const Compared& compared : all) {
    const std::string name(compared.recipe->name);
    const ope::Estimate& estimate = compared.judged.estimate;
    if (compared.has_verdict()) {
      std::printf("%-20s %8.4f %17s %9.4f %17s %8s %8.0f\n", name.c_str(), estimate.value,
                  interval(estimate.bootstrap).c_str(), compared.deployed.value,
                  interval(compared.deployed.interval).c_str(), compared.covered ? "yes" : "no",
                  estimate.diagnostics.all.effective);
    } else {
      std::printf("%-20s %8s %17s %9.4f %17s  %s\n", name.c_str(), "refused", "", compared.deployed.value,
                  interval(compared.deployed.interval).c_str(), compared.judged.refused.c_str());
    }
  }
  std::printf(
      "\n%u of %u verdicts cover what was deployed (%.0f%%), rank correlation %s, %u refused, of them %u of the "
      "%u that nothing is known of\n",
      totals.covered, totals.verdicts, 100 * totals.coverage(),
      totals.spearman.has_value() ? fmt::format("{:.3f}", *totals.spearman).c_str() : "unknown", totals.refused,
      totals.unsupported_refused, totals.unsupported);
}

absl::Status Verdict(const Totals& totals) {
  if (totals.unsupported_refused < totals.unsupported)
    return absl::FailedPreconditionError("a recipe that the log says nothing of was not refused");
  if (totals.verdicts > 0 && totals.coverage() < kCoverageMin)
    return absl::FailedPreconditionError(fmt::format("{} of {} intervals cover what was deployed; expected {:.0f}%",
                                                     totals.covered, totals.verdicts, 100 * kCoverageMin));
  if (totals.spearman.has_value() && *totals.spearman < kSpearmanMin)
    return absl::FailedPreconditionError(
        fmt::format("the rank correlation is {:.3f}; expected at least {}", *totals.spearman, kSpearmanMin));
  return absl::OkStatus();
}

}  // namespace

absl::Status SimOpe(const SimOpeOptions& options) {
  const TemporaryFolder folder(options.dir, "bowerbird-sim-ope");
  if (folder.path().empty()) return absl::UnavailableError("no temporary folder can be made");
  sim::world::WorldOptions world_options;
  world_options.seed = options.seed;
  ASSIGN_OR_RETURN(world_options.family, sim::world::ParseFamily(options.family));
  world_options.items = options.items;
  world_options.users = options.users;
  world_options.days = options.days;
  world_options.end_time_us = kBeginUs;
  ASSIGN_OR_RETURN(sim::world::World world, sim::world::World::Create(world_options));
  ASSIGN_OR_RETURN(const auto simulated, SimulatedApp::Make(folder.path(), std::string(kOpeConfig), kBeginUs));
  app::App& app = simulated->app();
  ASSIGN_OR_RETURN(const uint64_t imported, simulated->Import(world));
  Say(fmt::format("a {} world, seed {}: {} items, {} users, {} events of history", options.family, options.seed,
                  Thousands(world.Items().size()), Thousands(world.user_count()), Thousands(imported)));
  RETURN_IF_ERROR(app.RunPipeline().status());
  RETURN_IF_ERROR(simulated->Fold());

  ASSIGN_OR_RETURN(std::vector<config::EventObjective> objectives,
                   config::ParseObjectives(kOpeConfig, "bowerbird.toml"));
  FirstPages pages(simulated.get(), &world, std::move(objectives), {.begin_us = kBeginUs, .span_us = kDayUs});
  RETURN_IF_ERROR(pages.Log(FirstPages::Half::kLogged, options.requests, base::CombineHash(options.seed, 1)));

  const std::span<const OpeRecipe> recipes = OpeRecipes().first(options.recipes);
  Say(fmt::format("{} answers logged: judging {} recipes by them", Thousands(options.requests), recipes.size()));
  std::vector<app::RecipePatch> patches;
  for (const OpeRecipe& recipe : recipes) patches.push_back({std::string(recipe.name), std::string(recipe.patch)});
  served::JudgeOptions judging;
  judging.estimator = kEstimator;
  judging.resamples = kResamples;
  judging.seed = options.seed;
  ASSIGN_OR_RETURN(served::Judgement judgement, app::JudgeRecipes(app, patches, judging));

  Say(fmt::format("deploying each, to {} requests of other users", Thousands(options.requests)));
  std::vector<Deployed> deployed = Deploy(pages, recipes, options.requests, options.seed);
  std::vector<Compared> all(recipes.size());
  for (size_t i = 0; i < all.size(); ++i) {
    RETURN_IF_ERROR(deployed[i].status);
    all[i].recipe = &recipes[i];
    all[i].judged = std::move(judgement.recipes[i]);
    all[i].deployed = std::move(deployed[i]);
    Compare(&all[i]);
  }
  const Totals totals = Count(all);
  if (options.json) {
    PrintJson(options, judgement, all, totals);
  } else {
    PrintTable(judgement, all, totals);
  }
  app.Stop();
  return Verdict(totals);
}

}  // namespace bowerbird::cli
