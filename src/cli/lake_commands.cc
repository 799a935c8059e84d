#include "cli/lake_commands.h"

#include <string>

#include "lake/batch_job.h"

namespace bowerbird::cli {
namespace {

void AddFolder(CLI::App* command, Folder* folder) {
  command->add_option("--dir", folder->dir, "folder of the data")->capture_default_str();
  command->add_option("--app", folder->app, "app within it")->capture_default_str();
}

}  // namespace

void LakeCommands::Add(CLI::App* program, std::function<absl::Status()>* run) {
  auto* lake = program->add_subcommand("lake", "the log as tables of Parquet files")->require_subcommand(1);
  auto* sql = lake->add_subcommand("sql", "one SELECT over events, served, items, users and the tables of jobs");
  sql->add_option("sql", sql_.sql, "such as: select type, count(*) from events group by 1")->required();
  AddFolder(sql, &sql_.folder);
  auto* json = sql->add_flag("--json", sql_.json, "the API's answer as it is");
  sql->add_flag("--csv", sql_.csv, "comma-separated values")->excludes(json);
  sql->add_option("--seconds", sql_.seconds, "at most; the config's lake.sql_time_max without it")
      ->check(CLI::Range(0.001, 86'400.0));
  sql->callback([this, run] { *run = [this] { return LakeSql(sql_); }; });

  struct Command {
    const char *name, *help;
    absl::Status (*run)(const LakeOptions&);
  };
  for (const Command& command :
       {Command{"status", "rows, files and lag by table", LakeStatus},
        Command{"verify", "read every file and check it", LakeVerify},
        Command{"maintain", "join small files, take out what is past its retention", LakeMaintain}}) {
    auto* added = lake->add_subcommand(command.name, command.help);
    AddFolder(added, &lake_.folder);
    added->add_flag("--json", lake_.json, "the API's answer as it is");
    added->callback([this, run, runs = command.run] { *run = [this, runs] { return runs(lake_); }; });
  }

  auto* mcp = program->add_subcommand("mcp",
                                      "tools for language models (Model Context Protocol) on standard input and "
                                      "output; over HTTP a server has them at /mcp");
  AddFolder(mcp, &mcp_.folder);
  mcp->add_flag("--unmasked,!--mask", mcp_.unmasked,
                "users by their ids, and what they wrote as they wrote it; --mask, the default, by pseudonyms");
  mcp->callback([this, run] { *run = [this] { return Mcp(mcp_); }; });

  auto* job = program->add_subcommand("job", "tables computed from the lake; redact: who was forgotten leaves")
                  ->require_subcommand(1);
  auto* job_run = job->add_subcommand("run", "compute a job's table for a day, in the place of what it had for it");
  std::vector<std::string> names;
  for (const std::string_view name : lake::JobNames()) names.emplace_back(name);
  names.emplace_back("redact");
  job_run->add_option("name", job_.name, "")->required()->check(CLI::IsMember(names));
  AddFolder(job_run, &job_.folder);
  job_run->add_option("--engine", job_.engine, "spark: the program that BOWERBIRD_SPARK names, or spark-submit")
      ->check(CLI::IsMember({"duckdb", "spark"}))
      ->capture_default_str();
  job_run->add_option("--date", job_.date, "the day, UTC, such as 2026-11-27; yesterday without it");
  job_run->add_flag("--json", job_.json, "the API's answer as it is");
  job_run->callback([this, run] { *run = [this] { return job_.name == "redact" ? RunRedact(job_) : JobRun(job_); }; });
}

}  // namespace bowerbird::cli
