#include "cli/trial_commands.h"

namespace bowerbird::cli {

void TrialCommands::Add(CLI::App* sim, std::function<absl::Status()>* run) {
  auto* ab = sim->add_subcommand(
      "ab", "repeat an A/B test on users drawn from a simulated world: how often its statistics find the effect");
  ab->add_option("--effect", ab_.effect,
                 "relative, on what a user does in a day; 0: how often nothing is found to be one")
      ->capture_default_str();
  ab->add_option("--days", ab_.days, "of the experiment, and before it for CUPED")
      ->check(CLI::Range(2, 90))
      ->capture_default_str();
  ab->add_option("--repeat", ab_.repeats, "experiments, each on users of its own")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  ab->add_option("--seed", ab_.seed, "of the world and of who is drawn")->capture_default_str();
  ab->add_flag("--json", ab_.json, "one JSON object");
  ab->callback([this, run] { *run = [this] { return SimAb(ab_); }; });

  auto* interleave = sim->add_subcommand(
      "interleave", "compare pairs of recipes by A/B test and by interleaving: how many users each needs");
  interleave->add_option("--pairs", interleave_.pairs, "of recipes")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  interleave->add_option("--seed", interleave_.seed, "of the worlds and the recipes")->capture_default_str();
  interleave->add_option("--items", interleave_.items, "of a world")
      ->check(CLI::Range(50, 100'000))
      ->capture_default_str();
  interleave->add_option("--users", interleave_.users, "of a world")
      ->check(CLI::Range(20, 100'000))
      ->capture_default_str();
  interleave->add_option("--days", interleave_.days, "of a comparison")
      ->check(CLI::Range(1, 28))
      ->capture_default_str();
  interleave->add_flag("--json", interleave_.json, "one JSON object");
  interleave->callback([this, run] { *run = [this] { return SimInterleave(interleave_); }; });
}

}  // namespace bowerbird::cli
