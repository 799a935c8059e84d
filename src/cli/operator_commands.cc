#include "cli/operator_commands.h"

namespace bowerbird::cli {
namespace {

void AddDir(CLI::App* command, Folder* folder) {
  command->add_option("--dir", folder->dir, "folder of the data")->capture_default_str();
}

}  // namespace

void OperatorCommands::Add(CLI::App* program, CLI::App* config, std::function<absl::Status()>* run) {
  run_ = run;
  AddApps(program);
  AddKeys(program);
  AddAudit(program);
  AddReload(config);
  AddBackup(program);
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

void OperatorCommands::AddKeys(CLI::App* program) {
  auto* keys = program->add_subcommand("keys", "API keys")->alias("key")->require_subcommand(1);
  auto* create = keys->add_subcommand("create", "make a key; its secret is shown once");
  create->add_option("--name", keys_.name, "what people call it")->required();
  create
      ->add_option(
          "--scopes", keys_.scopes,
          "of events, collect, serve, analyst, admin; operator, which opens every app; peer, for nodes of a cluster")
      ->required()
      ->delimiter(',');
  create->add_option("--app", keys_.folder.app, "the app that it opens")->capture_default_str();
  create->add_option("--requests-per-second", keys_.requests_per_second, "quota; 0 for none")->capture_default_str();
  create->add_option("--events-per-second", keys_.events_per_second, "quota; 0 for none")->capture_default_str();
  AddDir(create, &keys_.folder);
  create->callback([this] { *run_ = [this] { return KeysCreate(keys_); }; });
  auto* list = keys->add_subcommand("list", "all keys, without their secrets");
  AddDir(list, &keys_.folder);
  list->callback([this] { *run_ = [this] { return KeysList(keys_); }; });
  auto* revoke = keys->add_subcommand("revoke", "end a key");
  revoke->add_option("id", keys_.id, "as listed")->required();
  AddDir(revoke, &keys_.folder);
  revoke->callback([this] { *run_ = [this] { return KeysRevoke(keys_); }; });
  auto* rotate = keys->add_subcommand("rotate", "give a key a new secret, shown once");
  rotate->add_option("id", keys_.id, "as listed")->required();
  rotate->add_option("--overlap", keys_.overlap, "how long the former secret is taken, such as 24h")
      ->capture_default_str();
  AddDir(rotate, &keys_.folder);
  rotate->callback([this] { *run_ = [this] { return KeysRotate(keys_); }; });
}

void OperatorCommands::AddReload(CLI::App* config) {
  auto* reload =
      config->add_subcommand("reload", "put server.toml and every app's config into force, without a restart");
  reload->add_option("--app", reload_.app, "this app's alone");
  reload
      ->add_flag("--reopen", reload_.reopen, "close the app and open it again, for what only changes then; with --app")
      ->needs("--app");
  AddDir(reload, &reload_.folder);
  reload->callback([this] { *run_ = [this] { return ConfigReload(reload_); }; });
}

void OperatorCommands::AddBackup(CLI::App* program) {
  auto* backup = program->add_subcommand("backup", "copy a folder, also while it is served");
  backup->add_option("dir", backup_.from, "folder of the data")->required();
  backup->add_option("to", backup_.to, "folder of the backup; absent or empty")->required();
  backup->callback([this] { *run_ = [this] { return Backup(backup_); }; });
  auto* restore = program->add_subcommand("restore", "check a backup and make a folder of it");
  restore->add_option("from", backup_.from, "folder of the backup")->required();
  restore->add_option("dir", backup_.to, "folder of the data; absent or empty")->required();
  restore->callback([this] { *run_ = [this] { return RestoreBackup(backup_); }; });
}

void OperatorCommands::AddAudit(CLI::App* program) {
  auto* audit = program->add_subcommand("audit", "what admins and operators did, newest last");
  audit->add_option("-n", audit_.n, "entries")->capture_default_str();
  audit->add_flag("--json", audit_.json, "JSON lines, as in DIR/audit.log");
  AddDir(audit, &audit_.folder);
  auto* user = audit->add_subcommand("user", "where something about a user is: in every store and every file");
  user->add_option("id", user_.id, "of the user")->required();
  user->add_flag("--json", user_.json, "the API's answer as it is");
  AddDir(user, &user_.folder);
  user->add_option("--app", user_.folder.app, "app within it")->capture_default_str();
  // This one's callback runs after that of the command within it.
  audit->callback([this, user] {
    *run_ = [this, of_user = user->parsed()] { return of_user ? AuditUser(user_) : Audit(audit_); };
  });

  auto* users = program->add_subcommand("users", "the users")->require_subcommand(1);
  auto* forget = users->add_subcommand(
      "forget", "make a user unknown, with all ids that became the same user; job run redact ends it");
  forget->add_option("id", user_.id, "of the user")->required();
  forget->add_flag("--json", user_.json, "the API's answer as it is");
  AddDir(forget, &user_.folder);
  forget->add_option("--app", user_.folder.app, "app within it")->capture_default_str();
  forget->callback([this] { *run_ = [this] { return UsersForget(user_); }; });
  AddTraffic(program, users);
}

void OperatorCommands::AddTraffic(CLI::App* program, CLI::App* users) {
  auto* traffic = program->add_subcommand("traffic", "which share of the events is marked traffic, by day and reason");
  traffic->add_option("--days", traffic_.days, "of UTC, up to and with today; 1 to 31")->capture_default_str();
  traffic->add_flag("--json", traffic_.json, "the API's answer as it is");
  AddDir(traffic, &traffic_.folder);
  traffic->add_option("--app", traffic_.folder.app, "app within it")->capture_default_str();
  traffic->callback([this] { *run_ = [this] { return Traffic(traffic_); }; });

  const auto add = [&](const char* name, const char* help, absl::Status (*mark)(const UserOptions&)) {
    auto* command = users->add_subcommand(name, help);
    command->add_option("id", user_.id, "of the user")->required();
    AddDir(command, &user_.folder);
    command->add_option("--app", user_.folder.app, "app within it")->capture_default_str();
    command->callback([this, mark] { *run_ = [this, mark] { return mark(user_); }; });
  };
  add("mark", "say that a user is no person: all that they do is marked traffic, whatever the rules say",
      [](const UserOptions& options) { return UsersMark(options, true); });
  add("unmark", "say that a user is a person, whatever the rules say",
      [](const UserOptions& options) { return UsersMark(options, false); });
  add("by-rules", "take back what was said of a user: the rules say again", UsersByRules);
}

}  // namespace bowerbird::cli
