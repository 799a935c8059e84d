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
  auto* signals = program->add_subcommand("signals", "what is declared of users and items, and what is held of it")
                      ->require_subcommand(1);
  auto* list = signals->add_subcommand(
      "list", "every signal: users or items with a value, null rate, bytes, newest event, owner");
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

  AddSegments(program);
  AddFeatures(program);

  auto* check = program->add_subcommand("check", "whether what was served is what the log says")->require_subcommand(1);
  auto* skew = check->add_subcommand(
      "skew", "make users' and items' signals again as each request of a day found them, and compare them bit for bit");
  skew->add_option("--day", skew_.day, "of UTC, such as 2026-11-27")->required();
  AddFolder(skew, &skew_.folder);
  skew->callback([this] { *run_ = [this] { return CheckSkew(skew_); }; });
}

void SignalCommands::AddSegments(CLI::App* program) {
  auto* segments =
      program->add_subcommand("segments", "declared sets of users, and who is in them")->require_subcommand(1);
  auto* segments_list = segments->add_subcommand("list", "every segment: how many users, its condition and owner");
  AddFolder(segments_list, &segments_.folder);
  segments_list->callback([this] { *run_ = [this] { return SegmentsList(segments_); }; });
  auto* users = segments->add_subcommand("users", "who is in a segment now, an id a line");
  users->add_option("name", segments_.name, "as declared")->required();
  users->add_option("-n", segments_.n, "print so many at most; 0: everybody")->capture_default_str();
  AddFolder(users, &segments_.folder);
  users->callback([this] { *run_ = [this] { return SegmentUsers(segments_); }; });
  auto* write = segments->add_subcommand(
      "write", "write who is in which segment now as today's rows of the lake's table segment_users");
  AddFolder(write, &segments_.folder);
  write->callback([this] { *run_ = [this] { return SegmentsWrite(segments_); }; });
}

void SignalCommands::AddFeatures(CLI::App* program) {
  auto* features = program->add_subcommand("features", "numbers and vectors by user or item that other teams make")
                       ->require_subcommand(1);
  auto* load = features->add_subcommand("load", "make the next version of a table from a Parquet file, and swap it in");
  load->add_option("table", features_.table, "its name: a-z, 0-9, '_' and '-'")->required();
  load->add_option("file", features_.file, "Parquet, with a column of ids")->required()->check(CLI::ExistingFile);
  load->add_option("--entity", features_.entity, "who its rows are about")
      ->check(CLI::IsMember({"user", "item"}))
      ->capture_default_str();
  load->add_option("--key", features_.key, "the column of ids")->required();
  load->add_option("--columns", features_.columns, "columns of numbers or lists of numbers; all but the key without it")
      ->delimiter(',');
  load->add_option("--as-of", features_.as_of, "when the values were true, RFC 3339; now without it");
  AddFolder(load, &features_.folder);
  load->callback([this] { *run_ = [this] { return FeaturesLoad(features_); }; });
  auto* list = features->add_subcommand("list", "every table: its newest version, rows and columns");
  AddFolder(list, &features_.folder);
  list->callback([this] { *run_ = [this] { return FeaturesList(features_); }; });
  auto* show = features->add_subcommand("show", "what a table says of one id");
  show->add_option("table", features_.table, "")->required();
  show->add_option("id", features_.id, "of a user or item")->required();
  AddFolder(show, &features_.folder);
  show->callback([this] { *run_ = [this] { return FeaturesShow(features_); }; });
}

}  // namespace bowerbird::cli
