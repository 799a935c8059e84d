#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <string>

#include "cli/commands.h"
#include "cli/experiment_commands.h"
#include "cli/experiment_result_commands.h"
#include "cli/lake_commands.h"
#include "cli/operator_commands.h"
#include "cli/signal_commands.h"
#include "cli/training_commands.h"
#include "cli/trial_commands.h"
#include "config/config.h"
#include "remote/remote_files.h"

namespace {

using namespace bowerbird::cli;

void AddFolder(CLI::App* command, Folder* folder) {
  command->add_option("--dir", folder->dir, "folder of the data")->capture_default_str();
  command->add_option("--app", folder->app, "app within it")->capture_default_str();
}

/// Blocks the signals that a server waits for, before any thread starts: threads inherit it.
void BlockSignals(std::initializer_list<int> signals = {SIGTERM, SIGINT}) {
  sigset_t set;
  sigemptyset(&set);
  for (const int one : signals) sigaddset(&set, one);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program(
      "Bowerbird: events in, personal feeds out.\nStart with: bowerbird playground --csv FILE. To stay: import PATH, "
      "then "
      "train cf, index build, serve.");
  program.require_subcommand(1);
  program.set_version_flag("--version", BOWERBIRD_VERSION);
  std::function<absl::Status()> run;

  Folder folder;
  InitOptions init_options;
  auto* init = program.add_subcommand("init", "make a folder with a config to begin with");
  AddFolder(init, &init_options.folder);
  init->add_option("folder", init_options.folder.dir, "the folder; the same as --dir")->excludes("--dir");
  init->add_option("--preset", init_options.preset, "what the app shows; without it a general starter")
      ->check(CLI::IsMember(bowerbird::config::PresetNames()));
  init->callback([&] { run = [&] { return Init(init_options); }; });

  ConfigCheckOptions config_check;
  auto* config = program.add_subcommand("config", "the config")->require_subcommand(1);
  auto* check = config->add_subcommand("check", "every problem of a config, each with its line");
  check->add_option("file", config_check.file, "a bowerbird.toml or server.toml; without it the folder's");
  AddFolder(check, &config_check.folder);
  check->callback([&] { run = [&] { return ConfigCheck(config_check); }; });

  ServeOptions serve_options;
  auto* serve = program.add_subcommand("serve", "answer over HTTP, for every app of the folder, until SIGTERM");
  serve->add_option("--dir", serve_options.folder.dir, "folder of the data")->capture_default_str();
  serve->add_option("--listen", serve_options.listen, "address; server.toml's without it");
  serve->add_option("--port", serve_options.port, "port, 0 for any free one; server.toml's without it")
      ->check(CLI::Range(0, 65535));
  serve->add_option("--grpc-port", serve_options.grpc_port, "gRPC's port, 0 for any free one; server.toml's without it")
      ->check(CLI::Range(0, 65535));
  serve->add_option("--node", serve_options.node, "which node of a cluster, from 0; the log is then in Kafka")
      ->check(CLI::Range(0, 4095));
  serve->add_option("--nodes", serve_options.nodes, "how many nodes the cluster has")->check(CLI::Range(1, 4096));
  serve->callback([&] {
    BlockSignals({SIGTERM, SIGINT, SIGHUP});
    run = [&] { return Serve(serve_options); };
  });

  OperatorCommands operator_commands;
  operator_commands.Add(&program, config, &run);
  ExperimentCommands experiment_commands;
  experiment_commands.Add(&program, config, &run);
  SignalCommands signal_commands;
  signal_commands.Add(&program, &run);

  ImportOptions import_options;
  auto* import = program.add_subcommand("import", "events and items from files (plain, .gz, .zst); resumable")
                     ->require_subcommand(1);
  for (const char* form : {"movielens", "csv", "jsonl", "parquet"}) {
    const bool movielens = std::string_view(form) == "movielens";
    auto* command = import->add_subcommand(form, movielens ? "a MovieLens folder" : "rows of a file");
    command->add_option("path", import_options.path, movielens ? "the folder" : "the file")
        ->required()
        ->check(CLI::ExistingPath);
    AddFolder(command, &import_options.folder);
    command->add_option("--rejects", import_options.rejects, "folder for the files of rejected rows");
    if (!movielens) {
      command->add_option("--kind", import_options.kind, "what the rows are")
          ->check(CLI::IsMember({"events", "items"}))
          ->capture_default_str();
      command->add_option("--map", import_options.map, "FIELD=COLUMN,...; common names are found without it");
      command->add_option("--type", import_options.type, "event type of every row");
      command->add_option("--list-separator", import_options.list_separator, "between values of one cell")
          ->capture_default_str();
      command->add_flag("--only-known-items", import_options.only_known_items,
                        "do not make bare items for ids that events name");
      if (std::string_view(form) == "csv")
        command->add_option("--separator", import_options.separator, "between columns")->capture_default_str();
    }
    command->callback([&, form] {
      import_options.form = form;
      run = [&] { return Import(import_options); };
    });
  }

  TrainCfOptions train_options;
  auto* train = program.add_subcommand("train", "make models from the log")->require_subcommand(1);
  auto* train_cf = train->add_subcommand("cf", "iALS factors and co-occurrence lists");
  AddFolder(train_cf, &train_options.folder);
  train_cf->add_option("--factors", train_options.factors, "dimensions; the config's without it")
      ->check(CLI::Range(1, 4096));
  train_cf->add_option("--epochs", train_options.epochs, "the config's without it")->check(CLI::Range(1, 1000));
  train_cf->callback([&] { run = [&] { return TrainCf(train_options); }; });
  TrainingCommands training_commands;
  training_commands.Add(&program, train, &run);
  TrialCommands trial_commands;
  trial_commands.Add(program.get_subcommand("sim"), &run);

  auto* index = program.add_subcommand("index", "the snapshot that answers come from")->require_subcommand(1);
  auto* index_build =
      index->add_subcommand("build", "make a snapshot of the catalog and the newest model, and serve from it");
  AddFolder(index_build, &folder);
  index_build->callback([&] { run = [&] { return IndexBuild(folder); }; });

  auto* checkpoint =
      program.add_subcommand("checkpoint", "put a copy of the state where [cluster] of server.toml says");
  AddFolder(checkpoint, &folder);
  checkpoint->callback([&] { run = [&] { return Checkpoint(folder); }; });

  RecommendOptions recommend_options;
  auto* recommend = program.add_subcommand("recommend", "ask as a request would");
  AddFolder(recommend, &recommend_options.folder);
  recommend->add_option("--user", recommend_options.user, "whom it is for");
  recommend->add_option("--surface", recommend_options.surface, "")->capture_default_str();
  recommend->add_option("--item", recommend_options.item, "what it is related to");
  recommend->add_option("--filter", recommend_options.filter, "such as: price < 50 and categories contains \"Desks\"");
  recommend->add_option("-n", recommend_options.n, "items wanted")->check(CLI::Range(1, 200))->capture_default_str();
  recommend->add_flag("--explain", recommend_options.explain, "say why");
  recommend->add_option("--why-not", recommend_options.why_not,
                        "item to say of where it is, or what left it out; may be given again");
  recommend->add_flag("--json", recommend_options.json, "the API's answer as it is");
  recommend->callback([&] { run = [&] { return Recommend(recommend_options); }; });

  LogTailOptions tail_options;
  auto* log = program.add_subcommand("log", "the event log")->require_subcommand(1);
  auto* tail = log->add_subcommand("tail", "the newest records, as JSON lines");
  AddFolder(tail, &tail_options.folder);
  tail->add_option("--topic", tail_options.topic, "")->capture_default_str();
  tail->add_option("-n", tail_options.n, "records")->capture_default_str();
  tail->callback([&] { run = [&] { return LogTail(tail_options); }; });
  auto* verify = log->add_subcommand("verify", "read everything and check it");
  AddFolder(verify, &folder);
  verify->callback([&] { run = [&] { return LogVerify(folder); }; });
  auto* stats = log->add_subcommand("stats", "records and bytes by topic");
  AddFolder(stats, &folder);
  stats->callback([&] { run = [&] { return LogStats(folder); }; });

  auto* state = program.add_subcommand("state", "what is derived from the log")->require_subcommand(1);
  auto* state_verify = state->add_subcommand("verify", "rebuild from the log and compare every byte");
  AddFolder(state_verify, &folder);
  state_verify->callback([&] { run = [&] { return StateVerify(folder); }; });

  LakeCommands lake_commands;
  lake_commands.Add(&program, &run);
  ExperimentResultCommands experiment_result_commands;
  experiment_result_commands.Add(program.get_subcommand("experiment"), &run);

  ReplayOptions replay_options;
  auto* replay = program.add_subcommand(
      "replay",
      "a past answer again (--request), or a recorded stream: let it happen again and predict its next actions");
  replay->require_subcommand(0, 1);
  AddFolder(replay, &replay_options.folder);
  replay->add_option("--request", replay_options.request, "request id of an answer: run it again and compare");
  replay->callback([&, replay] {
    if (!replay->get_subcommands().empty()) return;
    if (replay_options.request.empty()) throw CLI::RequiredError("--request ID, or one of csv, jsonl, parquet, globo");
    run = [&] { return Replay(replay_options); };
  });
  ReplayStreamOptions stream_options;
  for (const char* form : {"csv", "jsonl", "parquet", "globo"}) {
    const bool known = std::string_view(form) == "globo";
    auto* command = replay->add_subcommand(form, known ? "clicks of Globo.com (clicks.csv.zst)" : "rows of a file");
    command->add_option("path", stream_options.path, known ? "the folder" : "the file (plain, .gz, .zst)")
        ->required()
        ->check(known ? CLI::Validator(CLI::ExistingDirectory) : CLI::Validator(CLI::ExistingFile));
    if (!known) {
      command->add_option("--map", stream_options.map,
                          "FIELD=COLUMN,... of user, item, time, type, session; common names are found without it, but "
                          "for session");
      command->add_option("--type", stream_options.type, "event type of every row");
    }
    if (std::string_view(form) == "csv")
      command->add_option("--separator", stream_options.separator, "between columns")->capture_default_str();
    command->add_option("--from", stream_options.from, "leave out what was before this time");
    command->add_option("--until", stream_options.until,
                        "and from this time on; a day, RFC 3339 or seconds since 1970");
    command->add_option("--config", stream_options.config, "a bowerbird.toml; the defaults without it")
        ->check(CLI::ExistingFile);
    command->add_option("--dir", stream_options.dir, "keep the data here; without it a temporary folder");
    command->add_option("--surface", stream_options.surface, "that predicts")->capture_default_str();
    command->add_option("-n", stream_options.n, "items of a prediction")
        ->check(CLI::Range(1, 200))
        ->capture_default_str();
    command->add_option("--share", stream_options.share, "of the actions that is predicted")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    command->add_option("--seed", stream_options.seed, "which ones")->capture_default_str();
    command->add_flag("--json", stream_options.json, "nothing but one JSON object");
    command->callback([&, form] {
      stream_options.form = form;
      run = [&] { return ReplayStream(stream_options); };
    });
  }

  EvaluateOptions evaluate_options;
  auto* evaluate =
      program.add_subcommand("evaluate", "offline quality, beside popularity and random")->require_subcommand(1);
  struct Protocol {
    const char* name;
    const char* help;
  };
  for (const Protocol& protocol :
       {Protocol{"split", "given train and test files"}, Protocol{"loo", "each user's last item"},
        Protocol{"temporal", "what comes after a point in time"},
        Protocol{"cold", "items held out of training, found by their attributes"}}) {
    const std::string_view name(protocol.name);
    auto* command = evaluate->add_subcommand(protocol.name, protocol.help);
    if (name == "split") {
      command->add_option("--train", evaluate_options.train, "lines of: user item item ...")
          ->required()
          ->check(CLI::ExistingFile);
      command->add_option("--test", evaluate_options.test, "likewise")->required()->check(CLI::ExistingFile);
    } else {
      AddFolder(command, &evaluate_options.folder);
    }
    if (name == "loo" || name == "temporal") {
      command
          ->add_option("--input", evaluate_options.input,
                       "user, item, time as CSV, or `user item item ...` in order of time; without it the folder's log")
          ->check(CLI::ExistingFile);
    }
    if (name == "temporal")
      command->add_option("--test-share", evaluate_options.test_share, "of the actions, the last ones")
          ->check(CLI::Range(0.01, 0.5))
          ->capture_default_str();
    if (name != "cold") {
      command->add_option("--model", evaluate_options.model, "")
          ->check(CLI::IsMember({"ials", "co_occurrence", "popularity", "random"}))
          ->capture_default_str();
    }
    command->add_option("--factors", evaluate_options.factors, "")->check(CLI::Range(1, 4096))->capture_default_str();
    command->add_option("--threads", evaluate_options.threads, "0 for all")->capture_default_str();
    command->add_flag("--json", evaluate_options.json, "nothing but the JSON object");
    command->callback([&, name] {
      evaluate_options.protocol = name;
      run = [&] { return Evaluate(evaluate_options); };
    });
  }

  OpeOptions ope_options;
  auto* ope = program.add_subcommand("ope", "off-policy evaluation: what one policy's log says of another policy");
  auto* ope_recipe =
      ope->add_option("--recipe", ope_options.recipes,
                      "what a recipe says otherwise than the folder's config, as TOML; its own served log judges it")
          ->check(CLI::ExistingFile);
  ope->add_option("--dir", ope_options.folder.dir, "folder of the data")->capture_default_str();
  ope->add_option("--app", ope_options.folder.app, "app within it")->capture_default_str();
  ope->add_option("--surface", ope_options.surface, "of which answers are read")->capture_default_str();
  ope->add_option("--estimator", ope_options.estimator, "")
      ->check(CLI::IsMember({"cascade_dr", "rips"}))
      ->capture_default_str();
  ope->add_option("--data", ope_options.data,
                  "instead: a folder with random_men.csv.zst, bts_men.csv.zst and the same for women")
      ->check(CLI::ExistingDirectory)
      ->excludes(ope_recipe);
  ope->add_flag("--json", ope_options.json, "nothing but one JSON object");
  ope->callback([&] { run = [&] { return Ope(ope_options); }; });

  DemoOptions demo_options;
  auto* demo = program.add_subcommand("demo", "a simulated world, a server, simulated users, and a page to look at");
  demo->add_option("--dir", demo_options.dir, "keep the data here; without it a temporary folder");
  demo->add_option("--seed", demo_options.seed, "of the world")->capture_default_str();
  demo->add_option("--family", demo_options.family, "how taste works")
      ->check(CLI::IsMember({"mixture", "herding", "contextual"}))
      ->capture_default_str();
  demo->add_option("--items", demo_options.items, "");
  demo->add_option("--users", demo_options.users, "");
  demo->add_option("--days", demo_options.days, "of history");
  demo->add_option("--port", demo_options.port, "of the page")->check(CLI::Range(0, 65535))->capture_default_str();
  demo->add_flag("--headless", demo_options.headless,
                 "no page: simulated users for some time, then a report; exit status 0 only if every promise held");
  demo->add_option("--seconds", demo_options.seconds, "how long they browse")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  demo->add_flag("--json", demo_options.json, "the report as one JSON object on the last line");
  demo->callback([&] {
    BlockSignals({SIGTERM, SIGINT});
    run = [&] { return Demo(demo_options); };
  });

  PlaygroundOptions playground_options;
  auto* playground = program.add_subcommand(
      "playground", "from your own file to a first personal page, without a config; a simulated world without a file");
  auto* csv = playground->add_option("--csv", playground_options.csv,
                                     "a table of who did what (plain, .gz, .zst); its columns are guessed");
  csv->check(CLI::ExistingFile);
  playground->add_option("--movielens", playground_options.movielens, "a MovieLens folder")
      ->check(CLI::ExistingDirectory)
      ->excludes(csv);
  playground->add_option("--map", playground_options.map, "FIELD=COLUMN,... where a guess is wrong")->needs(csv);
  playground->add_option("--dir", playground_options.dir, "keep the data here; without it a temporary folder");
  playground->add_option("--port", playground_options.port, "of the page; 8080 or any free one without it")
      ->check(CLI::Range(0, 65535));
  playground->add_flag("--headless", playground_options.headless, "print the page and end");
  playground->add_flag("--json", playground_options.json,
                       "the page, what was understood and timings as one JSON object");
  playground->callback([&] {
    BlockSignals({SIGTERM, SIGINT});
    run = [&] { return Playground(playground_options); };
  });

  std::string help_about;
  auto* help = program.add_subcommand("help", "what there is, or what a command takes");
  help->add_option("command", help_about, "");
  help->callback([&] {
    run = [&]() -> absl::Status {
      if (help_about.empty()) {
        std::printf("%s", program.help().c_str());
        return absl::OkStatus();
      }
      const auto about =
          program.get_subcommands([&](const CLI::App* command) { return command->check_name(help_about); });
      if (about.empty()) {
        return absl::NotFoundError(fmt::format("no command '{}'; `bowerbird help` lists them", help_about));
      }
      std::printf("%s", about.front()->help("bowerbird").c_str());
      return absl::OkStatus();
    };
  });

  CLI11_PARSE(program, argc, argv);
  const absl::Status status = run();
  bowerbird::remote::EndRemoteFiles();
  if (!status.ok()) {
    std::fflush(stdout);  // what was said before comes before
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
