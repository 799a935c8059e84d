#include "cli/training_commands.h"

namespace bowerbird::cli {
namespace {

void AddFolder(CLI::App* command, Folder* folder) {
  command->add_option("--dir", folder->dir, "folder of the data")->capture_default_str();
  command->add_option("--app", folder->app, "app within it")->capture_default_str();
}

void AddDays(CLI::App* command, std::string* from, std::string* to, const char* without) {
  command->add_option("--from", *from, std::string("the first day, UTC, such as 2026-11-27; ") + without);
  command->add_option("--to", *to, "the day after the last");
}

}  // namespace

void TrainingCommands::Add(CLI::App* program, CLI::App* train, std::function<absl::Status()>* run) {
  auto* rows = program->add_subcommand("rows", "what was served, joined with what came of it")->require_subcommand(1);
  auto* build = rows->add_subcommand("build", "make table training_rows of some days, in the place of what it had");
  AddFolder(build, &rows_.folder);
  AddDays(build, &rows_.from, &rows_.to, "without it the first of which not every window has closed");
  build->add_option("--negatives", rows_.negatives, "share that is kept of the candidates that nobody took")
      ->check(CLI::Range(0.0001, 1.0));
  build->add_option("--correction", rows_.correction, "how what is left out is made up for")
      ->check(CLI::IsMember({"none", "weights", "offset"}));
  build->add_flag("--json", rows_.json, "the API's answer as it is");
  build->callback([this, run] { *run = [this] { return RowsBuild(rows_); }; });
  auto* report = rows->add_subcommand("report", "every set: rows, labels, and whether it is as the sets before it");
  AddFolder(report, &rows_.folder);
  report->add_flag("--json", rows_.json, "the API's answer as it is");
  report->callback([this, run] { *run = [this] { return RowsReport(rows_); }; });

  auto* train_ranker = train->add_subcommand("ranker", "boosted trees over the features of what was seen");
  AddFolder(train_ranker, &ranker_.folder);
  train_ranker->add_option("--surface", ranker_.surface, "of which it is")->capture_default_str();
  AddDays(train_ranker, &ranker_.from, &ranker_.to, "without it every set");
  train_ranker->add_flag("--promote", ranker_.promote, "let it order the surface at once");
  train_ranker->add_flag("--json", ranker_.json, "the API's answer as it is");
  train_ranker->callback([this, run] { *run = [this] { return TrainRanker(ranker_); }; });

  auto* ranker = program->add_subcommand("ranker", "what orders a surface")->require_subcommand(1);
  auto* promote = ranker->add_subcommand("promote", "let a trained ranker order a surface, from the next request on");
  AddFolder(promote, &ranker_.folder);
  promote->add_option("--surface", ranker_.surface, "")->capture_default_str();
  auto* version = promote->add_option("--version", ranker_.version, "of artifact ranker/SURFACE, such as 000001");
  auto* none = promote->add_flag("--none", ranker_.none, "back to the ranker's own weights")->excludes(version);
  version->excludes(none);
  promote->callback([this, run] { *run = [this] { return PromoteRanker(ranker_); }; });

  auto* sim = program->add_subcommand("sim", "closed loops with simulated users")->require_subcommand(1);
  auto* sim_ranker = sim->add_subcommand(
      "ranker", "log some days, train a ranker from them, and let later visits judge it beside the order by iALS");
  sim_ranker->add_option("--dir", sim_.dir, "an empty folder to keep; a temporary one without it");
  sim_ranker->add_option("--family", sim_.family, "of the world")
      ->check(CLI::IsMember({"mixture", "herding", "contextual"}))
      ->capture_default_str();
  sim_ranker->add_option("--seed", sim_.seed, "of the world and of who is asked what")->capture_default_str();
  sim_ranker->add_option("--items", sim_.items, "")->check(CLI::Range(50, 100'000))->capture_default_str();
  sim_ranker->add_option("--users", sim_.users, "")->check(CLI::Range(10, 100'000))->capture_default_str();
  sim_ranker->add_option("--days", sim_.days, "that are logged and learned from")
      ->check(CLI::Range(1, 60))
      ->capture_default_str();
  sim_ranker->add_option("--judged-days", sim_.judged_days, "that follow")
      ->check(CLI::Range(1, 60))
      ->capture_default_str();
  sim_ranker->add_flag("--json", sim_.json, "one JSON object");
  sim_ranker->callback([this, run] { *run = [this] { return SimRanker(sim_); }; });

  auto* sim_ope = sim->add_subcommand(
      "ope", "judge recipes by one log of drawn answers, deploy each, and compare: docs/methods/off-policy-proof.md");
  sim_ope->add_option("--dir", sim_ope_.dir, "an empty folder to keep; a temporary one without it");
  sim_ope->add_option("--family", sim_ope_.family, "of the world")
      ->check(CLI::IsMember({"mixture", "herding", "contextual"}))
      ->capture_default_str();
  sim_ope->add_option("--seed", sim_ope_.seed, "of the world, of draws and of intervals")->capture_default_str();
  sim_ope->add_option("--items", sim_ope_.items, "")->check(CLI::Range(50, 100'000))->capture_default_str();
  sim_ope->add_option("--users", sim_ope_.users, "")->check(CLI::Range(10, 100'000))->capture_default_str();
  sim_ope->add_option("--days", sim_ope_.days, "of history")->check(CLI::Range(1, 365))->capture_default_str();
  sim_ope->add_option("--requests", sim_ope_.requests, "that are logged, and that each deployed recipe gets")
      ->check(CLI::Range(10, 10'000'000))
      ->capture_default_str();
  sim_ope->add_option("--recipes", sim_ope_.recipes, "the first so many")
      ->check(CLI::Range(1, 20))
      ->capture_default_str();
  sim_ope->add_flag("--json", sim_ope_.json, "one JSON object");
  sim_ope->callback([this, run] { *run = [this] { return SimOpe(sim_ope_); }; });
}

}  // namespace bowerbird::cli
