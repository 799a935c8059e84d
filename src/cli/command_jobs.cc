#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/connection.h"

namespace bowerbird::cli {
namespace {

void Print(const app::JobResult& result) {
  std::printf("%s version %s in %.2f s\n", result.artifact.c_str(), result.version.c_str(), result.seconds);
  for (const auto& [name, value] : result.metrics)
    std::printf("  %-16s %s\n", name.c_str(), fmt::format("{:.6g}", value).c_str());
}

absl::Status PrintRemote(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  std::string_view artifact, version;
  app::JobResult result;
  simdjson::dom::object metrics;
  if (parser.parse(body).get(document) || document["artifact"].get(artifact) || document["version"].get(version) ||
      document["seconds"].get(result.seconds) || document["metrics"].get(metrics)) {
    return absl::InternalError("the server's answer is not a job's result");
  }
  result.artifact = artifact;
  result.version = version;
  for (const auto field : metrics) {
    double value = 0;
    if (field.value.get(value) == simdjson::SUCCESS) result.metrics.emplace_back(field.key, value);
  }
  Print(result);
  return absl::OkStatus();
}

}  // namespace

absl::Status TrainCf(const TrainCfOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  if (app::App* app = connection->local_app(); app != nullptr) {
    app::TrainOptions train;
    train.factors = options.factors;
    train.epochs = options.epochs;
    train.progress = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
    ASSIGN_OR_RETURN(const app::JobResult result, app->TrainCf(train));
    Print(result);
    return absl::OkStatus();
  }
  std::string body;
  base::JsonWriter(&body)
      .BeginObject()
      .Key("factors")
      .Uint(options.factors)
      .Key("epochs")
      .Uint(options.epochs)
      .EndObject();
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/jobs/train-cf", body));
  return PrintRemote(answer);
}

absl::Status IndexBuild(const Folder& folder) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(folder.dir, folder.app));
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/jobs/index-build", "{}"));
  return PrintRemote(answer);
}

absl::Status Checkpoint(const Folder& folder) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(folder.dir, folder.app));
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/jobs/checkpoint", "{}"));
  return PrintRemote(answer);
}

}  // namespace bowerbird::cli
