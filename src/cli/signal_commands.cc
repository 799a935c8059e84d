#include "cli/signal_commands.h"

#include <string>

namespace bowerbird::cli {
namespace {

void AddFolder(CLI::App* command, Folder* folder) {
  command->add_option("--dir", folder->dir, "folder of the data")->capture_default_str();
  command->add_option("--app", folder->app, "app within it")->capture_default_str();
}

}  // namespace

void SignalCommands::Add(CLI::App* program, std::function<absl::Status()>* run) {
  run_ = run;
  auto* signals =
      program->add_subcommand("signals", "what is declared of users, and what is held of it")->require_subcommand(1);
  auto* list =
      signals->add_subcommand("list", "every signal: users with a value, null rate, bytes, newest event, owner");
  AddFolder(list, &signals_.folder);
  list->callback([this] { *run_ = [this] { return SignalsList(signals_); }; });
  auto* show = signals->add_subcommand("show", "one signal: its definition, and what is held of it");
  show->add_option("name", signals_.name, "as declared")->required();
  AddFolder(show, &signals_.folder);
  show->callback([this] { *run_ = [this] { return SignalsShow(signals_); }; });
  auto* backfill = signals->add_subcommand(
      "backfill", "compute a signal anew from the log; a new one is without it, when the app is opened");
  backfill->add_option("name", signals_.name, "as declared")->required();
  AddFolder(backfill, &signals_.folder);
  backfill->callback([this] { *run_ = [this] { return SignalsBackfill(signals_); }; });

  auto* check = program->add_subcommand("check", "whether what was served is what the log says")->require_subcommand(1);
  auto* skew = check->add_subcommand(
      "skew", "make users' signals again up to each request that was served on a day, and compare them bit for bit");
  skew->add_option("--day", skew_.day, "of UTC, such as 2026-11-27")->required();
  AddFolder(skew, &skew_.folder);
  skew->callback([this] { *run_ = [this] { return CheckSkew(skew_); }; });
}

}  // namespace bowerbird::cli
