#include "cli/experiment_result_commands.h"

namespace bowerbird::cli {
namespace {

void AddFolder(CLI::App* command, Folder* folder) {
  command->add_option("--dir", folder->dir, "folder of the data")->capture_default_str();
  command->add_option("--app", folder->app, "app within it")->capture_default_str();
}

}  // namespace

void ExperimentResultCommands::Add(CLI::App* experiment, std::function<absl::Status()>* run) {
  auto* results = experiment->add_subcommand("results", "what an experiment comes to, with a sentence to act on");
  auto* id = results->add_option("id", results_.id, "the experiment");
  results->add_option("--experiment", results_.file, "a file that says what the experiment is, as JSON, instead")
      ->check(CLI::ExistingFile)
      ->excludes(id);
  AddFolder(results, &results_.folder);
  results->add_option("--segment", results_.segment, "effects by \"surface\" or by a user attribute, too");
  results->add_option("--others", results_.others, "other experiments to cross it with, separated by commas");
  results->add_option("--engine", results_.engine, "spark: the program that BOWERBIRD_SPARK names, or spark-submit")
      ->check(CLI::IsMember({"duckdb", "spark"}))
      ->capture_default_str();
  results->add_flag("--json", results_.json, "the API's answer as it is");
  results->callback([this, run] { *run = [this] { return ExperimentResults(results_); }; });

  auto* power = experiment->add_subcommand("power", "how many users and days it takes to find an effect");
  power->add_option("--metric", power_.metric, "a metric of the config")->required();
  power->add_option("--effect", power_.effect, "relative, such as 0.02; the metric's minimum_effect without it")
      ->check(CLI::Range(1e-6, 100.0));
  power->add_option("--days", power_.days, "how far back to look, and how long it would run")
      ->check(CLI::Range(1, 365))
      ->capture_default_str();
  AddFolder(power, &power_.folder);
  power->add_flag("--json", power_.json, "the API's answer as it is");
  power->callback([this, run] { *run = [this] { return ExperimentPower(power_); }; });
}

}  // namespace bowerbird::cli
