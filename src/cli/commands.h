#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ingest/row_source.h"

/// One function a command of `bowerbird`; main.cc reads the command line and nothing else. Each prints its result on
/// standard output, progress and notes on standard error, and returns OK or what to say before exiting with 1.
namespace bowerbird::cli {

/// What most commands take.
struct Folder {
  std::string dir = "bowerbird-data";
  std::string app = "default";
};

struct ConfigCheckOptions {
  std::string file;  ///< empty: the folder's
  Folder folder;
};
absl::Status ConfigCheck(const ConfigCheckOptions& options);
struct ConfigReloadOptions {
  Folder folder;    ///< of it, the directory alone
  std::string app;  ///< empty: server.toml and every app
  bool reopen = false;
};
/// Of the server that owns the folder; FailedPrecondition without one.
absl::Status ConfigReload(const ConfigReloadOptions& options);
struct InitOptions {
  Folder folder;
  std::string preset;  ///< empty: the starter, and a folder that has a config is left as it is
};
/// FailedPrecondition: a preset was asked for, and the folder has a config already.
absl::Status Init(const InitOptions& options);

struct ServeOptions {
  Folder folder;
  std::string listen;         ///< empty: server.toml's
  int port = -1;              ///< -1: server.toml's
  int grpc_port = -1;         ///< -1: server.toml's
  int node = -1, nodes = -1;  ///< -1: as the folder says, which is alone when it is new
};
absl::Status Serve(const ServeOptions& options);

/// A file as rows; `separator` of CSV, "\\t" for a tab.
absl::StatusOr<std::unique_ptr<ingest::RowSource>> OpenRows(const std::string& form, const std::string& path,
                                                            const std::string& separator);
struct AppsOptions {
  Folder folder;  ///< of it, the directory alone
  std::string name;
  std::string config;  ///< path of a bowerbird.toml; empty: the starter
  bool purge = false;
};
absl::Status AppsCreate(const AppsOptions& options);
absl::Status AppsList(const AppsOptions& options);
absl::Status AppsRemove(const AppsOptions& options);

struct ImportOptions {
  Folder folder;
  std::string form;  ///< "movielens", "csv", "jsonl", "parquet"
  std::string path;
  std::string kind = "events";  ///< or "items"
  std::string map;
  std::string type;  ///< event type of every row
  std::string separator = ",";
  std::string list_separator = "|";
  std::string rejects;  ///< empty: beside the app
  bool only_known_items = false;
};
absl::Status Import(const ImportOptions& options);

struct TrainCfOptions {
  Folder folder;
  uint32_t factors = 0, epochs = 0;
};
absl::Status TrainCf(const TrainCfOptions& options);
absl::Status IndexBuild(const Folder& folder);
/// Puts a copy of the app's state where [cluster] of server.toml says.
absl::Status Checkpoint(const Folder& folder);

struct RecommendOptions {
  Folder folder;
  std::string user, surface = "home", item, filter;
  uint32_t n = 10;
  bool explain = false, json = false;
  std::vector<std::string> why_not;  ///< items to say the outcome of
};
absl::Status Recommend(const RecommendOptions& options);

struct LogTailOptions {
  Folder folder;
  std::string topic = "events";
  uint64_t n = 10;
};
absl::Status LogTail(const LogTailOptions& options);
absl::Status LogVerify(const Folder& folder);
absl::Status LogStats(const Folder& folder);
absl::Status StateVerify(const Folder& folder);

struct SignalsOptions {
  Folder folder;
  std::string name;
};
absl::Status SignalsList(const SignalsOptions& options);
absl::Status SignalsShow(const SignalsOptions& options);
/// FailedPrecondition: a server owns the folder.
absl::Status SignalsBackfill(const SignalsOptions& options);

struct SegmentsOptions {
  Folder folder;
  std::string name;
  uint64_t n = 0;  ///< ids to print at most; 0: all
};
absl::Status SegmentsList(const SegmentsOptions& options);
absl::Status SegmentUsers(const SegmentsOptions& options);
absl::Status SegmentsWrite(const SegmentsOptions& options);

struct FeaturesOptions {
  Folder folder;
  std::string table, file, entity = "user", key, as_of, id;
  std::vector<std::string> columns;
};
absl::Status FeaturesLoad(const FeaturesOptions& options);
absl::Status FeaturesList(const FeaturesOptions& options);
absl::Status FeaturesShow(const FeaturesOptions& options);

struct CheckSkewOptions {
  Folder folder;
  std::string day;
};
/// DataLoss: there are differences. FailedPrecondition: a server owns the folder, or the log has lost its first events.
absl::Status CheckSkew(const CheckSkewOptions& options);
struct LakeSqlOptions {
  Folder folder;
  std::string sql;
  bool json = false, csv = false;
  double seconds = 0;  ///< 0: the config's
};
absl::Status LakeSql(const LakeSqlOptions& options);
struct LakeOptions {
  Folder folder;
  bool json = false;
};
absl::Status LakeStatus(const LakeOptions& options);
absl::Status LakeVerify(const LakeOptions& options);
absl::Status LakeMaintain(const LakeOptions& options);
struct JobRunOptions {
  Folder folder;
  std::string name, engine = "duckdb";
  std::string date;  ///< empty: yesterday, UTC
  bool json = false;
};
absl::Status JobRun(const JobRunOptions& options);
/// The job "redact", which is about no day.
absl::Status RunRedact(const JobRunOptions& options);

struct UserOptions {
  Folder folder;
  std::string id;
  bool json = false;
};
absl::Status UsersForget(const UserOptions& options);
/// An operator's word on whether what the user does is marked traffic, and its end.
absl::Status UsersMark(const UserOptions& options, bool marked);
absl::Status UsersByRules(const UserOptions& options);
/// DataLoss: files could not be read.
absl::Status AuditUser(const UserOptions& options);

struct TrafficOptions {
  Folder folder;
  uint32_t days = 7;
  bool json = false;
};
absl::Status Traffic(const TrafficOptions& options);

struct ReplayOptions {
  Folder folder;
  std::string request;
  bool json = false;
};
absl::Status Replay(const ReplayOptions& options);

struct ReplayStreamOptions {
  std::string form;  ///< "csv", "jsonl", "parquet", or a known stream: "globo"
  std::string path;
  std::string map, type, separator = ",";
  std::string from, until;  ///< times; empty: all
  std::string config;       ///< a bowerbird.toml; empty: the defaults
  std::string dir;          ///< of the app that is made; empty: a temporary one
  std::string surface = "next";
  uint32_t n = 20;
  double share = 0.05;
  uint64_t seed = 1;
  bool json = false;
};
absl::Status ReplayStream(ReplayStreamOptions options);

struct KeysOptions {
  Folder folder;
  std::string name, id;
  std::vector<std::string> scopes;
  double requests_per_second = 0, events_per_second = 0;  ///< 0: no bound
  std::string overlap = "0s";                             ///< rotate: how long the former secret is taken
};
absl::Status KeysCreate(const KeysOptions& options);
absl::Status KeysList(const KeysOptions& options);
absl::Status KeysRevoke(const KeysOptions& options);
absl::Status KeysRotate(const KeysOptions& options);

struct BackupOptions {
  std::string from, to;
};
absl::Status Backup(const BackupOptions& options);
absl::Status RestoreBackup(const BackupOptions& options);

struct AuditOptions {
  Folder folder;
  size_t n = 20;
  bool json = false;
};
absl::Status Audit(const AuditOptions& options);

struct EvaluateOptions {
  Folder folder;
  std::string protocol;            ///< "split", "loo", "temporal", "cold"
  std::string train, test, input;  ///< without input: the folder's log
  std::string model = "ials";
  uint32_t factors = 64, threads = 0;
  double test_share = 0.1;
  bool json = false;
};
absl::Status Evaluate(const EvaluateOptions& options);

struct OpeOptions {
  std::string data;  ///< a folder of logs in the form of the Open Bandit Dataset
  bool json = false;
};
/// Two policies' logs judge each other's clicks.
absl::Status Ope(const OpeOptions& options);

struct DemoOptions {
  std::string dir;  ///< empty: a temporary folder
  uint64_t seed = 1;
  std::string family = "mixture";
  uint32_t items = 0, users = 0;
  double days = 0;
  bool headless = false, json = false;
  int seconds = 60;
  int port = 8080;
};
absl::Status Demo(const DemoOptions& options);

struct PlaygroundOptions {
  std::string csv, movielens;  ///< neither: a small simulated world
  std::string map;             ///< FIELD=COLUMN,... of the csv
  std::string dir;             ///< empty: a temporary folder
  int port = -1;               ///< -1: 8080, or any free one
  bool headless = false, json = false;
};
/// From a file to a first page: imports, trains, indexes, serves on loopback until SIGTERM or SIGINT.
absl::Status Playground(const PlaygroundOptions& options);

}  // namespace bowerbird::cli
