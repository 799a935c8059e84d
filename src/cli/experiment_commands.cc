#include "cli/experiment_commands.h"

namespace bowerbird::cli {
namespace {

void AddFolder(CLI::App* command, Folder* folder) {
  command->add_option("--dir", folder->dir, "folder of the data")->capture_default_str();
  command->add_option("--app", folder->app, "app within it")->capture_default_str();
}

}  // namespace

void ExperimentCommands::Add(CLI::App* program, CLI::App* config, std::function<absl::Status()>* run) {
  run_ = run;
  auto* experiment = program->add_subcommand("experiment", "controlled experiments")->require_subcommand(1);
  auto* create = experiment->add_subcommand("create", "make a draft out of a file");
  create->add_option("file", experiment_.file, "FILE.toml or FILE.json")->required()->check(CLI::ExistingFile);
  AddFolder(create, &experiment_.folder);
  create->callback([this] { *run_ = [this] { return ExperimentCreate(experiment_); }; });
  auto* list = experiment->add_subcommand("list", "every experiment: state, layer, traffic, arms");
  list->add_flag("--json", experiment_.json, "as the API has it");
  AddFolder(list, &experiment_.folder);
  list->callback([this] { *run_ = [this] { return ExperimentList(experiment_); }; });
  auto* show = experiment->add_subcommand("show", "one experiment, whole");
  show->add_option("id", experiment_.id, "as listed")->required();
  show->add_flag("--json", experiment_.json, "as the API has it");
  AddFolder(show, &experiment_.folder);
  show->callback([this] { *run_ = [this] { return ExperimentShow(experiment_); }; });
  auto* exported = experiment->add_subcommand("export", "the definition as TOML, for `experiment create`");
  exported->add_option("id", experiment_.id, "as listed")->required();
  AddFolder(exported, &experiment_.folder);
  exported->callback([this] { *run_ = [this] { return ExperimentExport(experiment_); }; });
  AddChanges(experiment);
  auto* diff = config->add_subcommand("diff", "what each arm of an experiment changes");
  diff->add_option("--experiment", experiment_.id, "as listed")->required();
  diff->add_flag("--json", experiment_.json, "as the API has it");
  AddFolder(diff, &experiment_.folder);
  diff->callback([this] { *run_ = [this] { return ConfigDiff(experiment_); }; });
}

void ExperimentCommands::AddChanges(CLI::App* experiment) {
  const auto add = [&](const char* name, const char* what, absl::Status (*command)(const ExperimentOptions&)) {
    auto* added = experiment->add_subcommand(name, what);
    added->add_option("id", experiment_.id, "as listed")->required();
    AddFolder(added, &experiment_.folder);
    added->callback([this, command] { *run_ = [this, command] { return command(experiment_); }; });
    return added;
  };
  add("start", "take units of its layer, from now on", ExperimentStart);
  add("ramp", "take more units; nobody changes arms", ExperimentRamp)
      ->add_option("--traffic", experiment_.traffic, "share of the layer's units, over the present one")
      ->required();
  add("stop", "take nobody any more", ExperimentStop)->add_option("--reason", experiment_.reason, "why");
  add("decide", "say which arm it is to be; stops it", ExperimentDecide)
      ->add_option("--winner", experiment_.winner, "an arm")
      ->required();
  add("delete", "remove a draft", ExperimentDelete);
}

}  // namespace bowerbird::cli
