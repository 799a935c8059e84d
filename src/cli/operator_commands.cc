#include "cli/operator_commands.h"

namespace bowerbird::cli {
namespace {

void AddDir(CLI::App* command, Folder* folder) {
  command->add_option("--dir", folder->dir, "folder of the data")->capture_default_str();
}

}  // namespace

void OperatorCommands::Add(CLI::App* program, std::function<absl::Status()>* run) {
  run_ = run;
  AddApps(program);
}

void OperatorCommands::AddApps(CLI::App* program) {
  auto* apps = program->add_subcommand("apps", "the apps of a folder, also while it is served")->require_subcommand(1);
  auto* create = apps->add_subcommand("create", "make an app, and serve it if a server runs");
  create->add_option("name", apps_.name, "1 to 64 of a-z, 0-9, '-' and '_'")->required();
  create->add_option("--config", apps_.config, "its bowerbird.toml; without it the starter's")
      ->check(CLI::ExistingFile);
  AddDir(create, &apps_.folder);
  create->callback([this] { *run_ = [this] { return AppsCreate(apps_); }; });
  auto* list = apps->add_subcommand("list", "every app, whether it is open, and why not");
  AddDir(list, &apps_.folder);
  list->callback([this] { *run_ = [this] { return AppsList(apps_); }; });
  auto* remove = apps->add_subcommand("remove", "close an app, end its keys, move its folder to DIR/removed");
  remove->add_option("name", apps_.name, "as listed")->required();
  remove->add_flag("--purge", apps_.purge, "delete the folder");
  AddDir(remove, &apps_.folder);
  remove->callback([this] { *run_ = [this] { return AppsRemove(apps_); }; });
}

}  // namespace bowerbird::cli
