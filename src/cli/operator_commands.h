#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/commands.h"

namespace bowerbird::cli {

/// The commands that run a folder: its apps, its keys, who did what, users who leave, and users who are none.
class OperatorCommands {
 public:
  /// `run` is set to the command that the line names; `config` is the command that a reload belongs to. This object
  /// outlives all three.
  void Add(CLI::App* program, CLI::App* config, std::function<absl::Status()>* run);

 private:
  void AddApps(CLI::App* program);
  void AddKeys(CLI::App* program);
  void AddAudit(CLI::App* program);
  void AddTraffic(CLI::App* program, CLI::App* users);
  void AddBackup(CLI::App* program);
  void AddReload(CLI::App* config);

  std::function<absl::Status()>* run_ = nullptr;
  AppsOptions apps_;
  KeysOptions keys_;
  AuditOptions audit_;
  UserOptions user_;
  TrafficOptions traffic_;
  BackupOptions backup_;
  ConfigReloadOptions reload_;
};

}  // namespace bowerbird::cli
