#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "app/rows_job.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/progress.h"
#include "cli/simulated_app.h"
#include "cli/temporary_folder.h"
#include "cli/training.h"
#include "model/tree_ensemble.h"
#include "sim/duel.h"
#include "store/file.h"

namespace bowerbird::cli {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;
/// When the history ends: a midnight of UTC.
constexpr int64_t kBeginUs = 20'454 * kDayUs;  // 2026-01-01

/// One product, three orders of the same candidates: the ranker's (`home`, which a trained one is promoted for), the
/// hand-made weights' and that of iALS alone.
constexpr std::string_view kConfig = R"([app]
name = "default"
partitions = 16

[items]
domains = ["organic", "product"]
[items.attributes]
topic = "string"
style = "string"
creator = "string"
look = { embedding = 32 }

[surfaces.home]
generators = ["for_you", "because", "trending", "fresh"]
seen = "exclude"
diversity = 0
explore = 0.1
ranked_max = 1000
[surfaces.by_weights]
generators = ["for_you", "because", "trending", "fresh"]
seen = "exclude"
diversity = 0
explore = 0
ranked_max = 1000
[surfaces.by_ials]
generators = ["for_you", "because", "trending", "fresh"]
seen = "exclude"
diversity = 0
explore = 0
ranked_max = 1000

[signals.topics]
kind = "decayed_sum"
by = "item.topic"
on = ["click", "closeup", "save", "purchase"]
half_life = "7d"
[signals.save_rate]
kind = "ratio"
of = "save"
on = ["impression"]
window = "30d"
prior = 0.02
prior_weight = 50

[objectives.click]
on = ["click"]
window = "30m"
weight = 0.35
[objectives.closeup]
on = ["closeup"]
window = "30m"
weight = 0.25
[objectives.save]
on = ["save", "purchase"]
window = "1h"
weight = 0.4
[objectives.view]
on = ["impression"]
where = "event.dwell_ms >= 2000"
window = "30m"
weight = 0
)";

void Say(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

/// A ranker of which the score is the feature `ials`, to a hundredth of what an ordinary item scores, promoted for
/// by_ials: the same candidates in the order of iALS.
absl::Status PromoteIalsOrder(app::App& app) {
  constexpr int kSteps = 800;
  constexpr float kLeast = -2, kStep = 0.01f, kLeaf = 0.005f;
  model::TreeEnsemble trees;
  trees.feature_names = {"ials"};
  trees.depth = 1;
  trees.bias = -2;
  for (int i = 0; i < kSteps; ++i) {
    trees.features.push_back(0);
    trees.thresholds.push_back(kLeast + kStep * static_cast<float>(i));
    trees.leaves.insert(trees.leaves.end(), {0, kLeaf});
  }
  ASSIGN_OR_RETURN(const std::string bytes, trees.Serialize());
  registry::Contents contents;
  contents.write = [&](const std::string& folder) {
    return store::AtomicWriteFile(folder + "/trees.safetensors", bytes);
  };
  ASSIGN_OR_RETURN(const std::string version, app.registry().Publish("ranker", "by_ials", contents));
  return app.rankers().Promote("by_ials", version);
}

struct Judged {
  sim::Duel::Outcome ranker, weights, ials;
  sim::Duel::Difference over_ials, over_weights;
};

void WriteOutcome(const char* name, const sim::Duel::Outcome& outcome, base::JsonWriter* json) {
  json->Key(name).BeginObject().Key("sessions").Uint(outcome.sessions);
  json->Key("utility").Double(outcome.utility).EndObject();
}

void WriteDifference(const char* name, const sim::Duel::Difference& difference, base::JsonWriter* json) {
  json->Key(name).BeginObject().Key("users").Uint(difference.users).Key("mean").Double(difference.mean);
  json->Key("low").Double(difference.low).Key("high").Double(difference.high).EndObject();
}

void Print(const SimRankerOptions& options, const app::RowsReport& rows, const app::JobResult& trained,
           const Judged& judged) {
  if (options.json) {
    std::string text;
    base::JsonWriter json(&text);
    json.BeginObject().Key("family").String(options.family).Key("seed").Uint(options.seed);
    json.Key("rows").Raw(rows.ToJson()).Key("version").String(trained.version).Key("metrics").BeginObject();
    for (const auto& [name, value] : trained.metrics) json.Key(name).Double(value);
    json.EndObject();
    WriteOutcome("ranker", judged.ranker, &json);
    WriteOutcome("weights", judged.weights, &json);
    WriteOutcome("ials", judged.ials, &json);
    WriteDifference("ranker_over_ials", judged.over_ials, &json);
    WriteDifference("ranker_over_weights", judged.over_weights, &json);
    json.EndObject();
    std::printf("%s\n", text.c_str());
    return;
  }
  for (const auto& [name, value] : trained.metrics) std::printf("  %-24s %.6g\n", name.c_str(), value);
  const auto line = [](const char* name, const sim::Duel::Outcome& outcome) {
    std::printf("%-22s %.4f utility a session, %s sessions\n", name, outcome.utility,
                Thousands(outcome.sessions).c_str());
  };
  line("trained ranker", judged.ranker);
  line("hand-made weights", judged.weights);
  line("iALS order", judged.ials);
  const auto difference = [](const char* name, const sim::Duel::Difference& found) {
    std::printf("%-22s %+.4f [%+.4f, %+.4f] over %s users\n", name, found.mean, found.low, found.high,
                Thousands(found.users).c_str());
  };
  difference("ranker over iALS", judged.over_ials);
  difference("ranker over weights", judged.over_weights);
}

}  // namespace

absl::Status SimRanker(const SimRankerOptions& options) {
  const TemporaryFolder folder(options.dir, "bowerbird-sim-ranker");
  if (folder.path().empty()) return absl::UnavailableError("no temporary folder can be made");
  sim::world::WorldOptions world_options;
  world_options.seed = options.seed;
  ASSIGN_OR_RETURN(world_options.family, sim::world::ParseFamily(options.family));
  world_options.items = options.items;
  world_options.users = options.users;
  world_options.days = 30;
  world_options.end_time_us = kBeginUs;
  ASSIGN_OR_RETURN(sim::world::World world, sim::world::World::Create(world_options));
  ASSIGN_OR_RETURN(const auto simulated, SimulatedApp::Make(folder.path(), std::string(kConfig), kBeginUs));
  app::App& app = simulated->app();
  ASSIGN_OR_RETURN(const uint64_t imported, simulated->Import(world));
  Say(fmt::format("a {} world, seed {}: {} items, {} users, {} events of history", options.family, options.seed,
                  Thousands(world.Items().size()), Thousands(world.user_count()), Thousands(imported)));

  sim::Duel::Options duel_options;
  duel_options.seed = options.seed;
  duel_options.now_us = [&] { return simulated->now_us(); };
  duel_options.advance_to = [&](int64_t now_us) { simulated->AdvanceTo(now_us); };
  sim::Duel duel(&world, simulated.get(), duel_options);
  const auto run_days = [&](uint32_t first, uint32_t days, const std::vector<std::string>& surfaces, bool judged) {
    for (uint32_t day = first; day < first + days; ++day) {
      RETURN_IF_ERROR(app.RunPipeline().status());
      RETURN_IF_ERROR(duel.Run(kBeginUs + (day + 1) * kDayUs, surfaces, judged));
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(run_days(0, options.days, {"home"}, false));
  Say(fmt::format("{} visits of {} days logged: making rows and training", Thousands(duel.visits()), options.days));
  app::RowsOptions rows_options;
  rows_options.from_us = kBeginUs;
  rows_options.to_us = kBeginUs + int64_t{options.days} * kDayUs;
  ASSIGN_OR_RETURN(const app::RowsReport rows, app::BuildRows(app, rows_options));
  app::RankerOptions ranker_options;
  ranker_options.promote = true;
  ranker_options.progress = Say;
  ASSIGN_OR_RETURN(const app::JobResult trained, app::TrainRanker(app, ranker_options));
  Say(fmt::format("{} days of visits judge it", options.judged_days));
  RETURN_IF_ERROR(PromoteIalsOrder(app));
  RETURN_IF_ERROR(run_days(options.days, options.judged_days, {"home", "by_weights", "by_ials"}, true));

  Judged judged;
  judged.ranker = duel.Of("home");
  judged.weights = duel.Of("by_weights");
  judged.ials = duel.Of("by_ials");
  judged.over_ials = duel.Compare("home", "by_ials");
  judged.over_weights = duel.Compare("home", "by_weights");
  Print(options, rows, trained, judged);
  app.Stop();
  return judged.over_ials.low > 0 ? absl::OkStatus()
                                  : absl::FailedPreconditionError(
                                        "the trained ranker is not better than the order by iALS, as far as is seen");
}

}  // namespace bowerbird::cli
