#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>
#include <string>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/experiment_file.h"
#include "server/http.h"
#include "store/file.h"

namespace bowerbird::cli {
namespace {

namespace dom = simdjson::dom;

absl::Status NotUnderstood() { return absl::InternalError("the server's answer is not what was asked for"); }

std::string Target(const ExperimentOptions& options, std::string_view verb = "") {
  return fmt::format("/v1/experiments/{}{}", server::PercentEncode(options.id), verb);
}

absl::StatusOr<std::string> Call(const ExperimentOptions& options, std::string_view method, const std::string& target,
                                 const std::string& body) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  return connection->Checked(method, target, body);
}

/// One line of an experiment: id, state, layer, share, arms.
absl::Status PrintLine(dom::element experiment) {
  std::string_view id, state, layer, description;
  dom::array arms, ramp;
  double traffic = 0;
  if (experiment["id"].get(id) || experiment["state"].get(state) || experiment["layer"].get(layer) ||
      experiment["arms"].get(arms) || experiment["ramp"].get(ramp) || experiment["traffic"].get(traffic) ||
      experiment["description"].get(description)) {
    return NotUnderstood();
  }
  for (const dom::element phase : ramp) {
    if (phase["traffic"].get(traffic)) return NotUnderstood();
  }
  std::string names;
  for (const dom::element arm : arms) {
    std::string_view name;
    if (arm["name"].get(name)) return NotUnderstood();
    fmt::format_to(std::back_inserter(names), "{}{}", names.empty() ? "" : ", ", name);
  }
  std::string_view winner;
  if (experiment["winner"].get(winner) == simdjson::SUCCESS && !winner.empty())
    names += fmt::format(" ({} won)", winner);
  std::printf("%-24s %-8s %6.2f%%  %-16s %s\n", std::string(id).c_str(), std::string(state).c_str(), 100 * traffic,
              layer.empty() ? "(its own layer)" : std::string(layer).c_str(), names.c_str());
  return absl::OkStatus();
}

absl::Status PrintChanged(const absl::StatusOr<std::string>& answer) {
  RETURN_IF_ERROR(answer.status());
  dom::parser parser;
  dom::element experiment;
  if (parser.parse(*answer).get(experiment)) return NotUnderstood();
  return PrintLine(experiment);
}

}  // namespace

absl::Status ExperimentCreate(const ExperimentOptions& options) {
  ASSIGN_OR_RETURN(std::string text, store::ReadFile(options.file));
  if (!options.file.ends_with(".json")) {
    ASSIGN_OR_RETURN(text, ExperimentJson(text, options.file));
  }
  return PrintChanged(Call(options, "POST", "/v1/experiments", text));
}

absl::Status ExperimentList(const ExperimentOptions& options) {
  ASSIGN_OR_RETURN(const std::string answer, Call(options, "GET", "/v1/experiments", ""));
  if (options.json) {
    std::printf("%s\n", answer.c_str());
    return absl::OkStatus();
  }
  dom::parser parser;
  dom::array experiments;
  if (parser.parse(answer)["experiments"].get(experiments)) return NotUnderstood();
  if (experiments.size() == 0) std::printf("no experiment yet; `bowerbird experiment create FILE` makes one\n");
  for (const dom::element experiment : experiments) RETURN_IF_ERROR(PrintLine(experiment));
  return absl::OkStatus();
}

absl::Status ExperimentShow(const ExperimentOptions& options) {
  ASSIGN_OR_RETURN(const std::string answer, Call(options, "GET", Target(options), ""));
  if (options.json) {
    std::printf("%s\n", answer.c_str());
    return absl::OkStatus();
  }
  dom::parser parser;
  dom::element experiment;
  if (parser.parse(answer).get(experiment)) return NotUnderstood();
  RETURN_IF_ERROR(PrintLine(experiment));
  ASSIGN_OR_RETURN(const std::string toml, ExperimentToml(experiment));
  std::printf("\n%s", toml.c_str());
  return absl::OkStatus();
}

absl::Status ExperimentExport(const ExperimentOptions& options) {
  ASSIGN_OR_RETURN(const std::string answer, Call(options, "GET", Target(options), ""));
  dom::parser parser;
  dom::element experiment;
  if (parser.parse(answer).get(experiment)) return NotUnderstood();
  ASSIGN_OR_RETURN(const std::string toml, ExperimentToml(experiment));
  std::printf("%s", toml.c_str());
  return absl::OkStatus();
}

absl::Status ExperimentStart(const ExperimentOptions& options) {
  return PrintChanged(Call(options, "POST", Target(options, ":start"), "{}"));
}

absl::Status ExperimentRamp(const ExperimentOptions& options) {
  return PrintChanged(
      Call(options, "POST", Target(options, ":ramp"), fmt::format("{{\"traffic\":{}}}", options.traffic)));
}

absl::Status ExperimentStop(const ExperimentOptions& options) {
  std::string body;
  base::JsonWriter(&body).BeginObject().Key("reason").String(options.reason).EndObject();
  return PrintChanged(Call(options, "POST", Target(options, ":stop"), body));
}

absl::Status ExperimentDecide(const ExperimentOptions& options) {
  std::string body;
  base::JsonWriter(&body).BeginObject().Key("winner").String(options.winner).EndObject();
  return PrintChanged(Call(options, "POST", Target(options, ":decide"), body));
}

absl::Status ExperimentDelete(const ExperimentOptions& options) {
  return Call(options, "DELETE", Target(options), "").status();
}

absl::Status ConfigDiff(const ExperimentOptions& options) {
  ASSIGN_OR_RETURN(const std::string answer, Call(options, "GET", Target(options, "/diff"), ""));
  if (options.json) {
    std::printf("%s\n", answer.c_str());
    return absl::OkStatus();
  }
  dom::parser parser;
  dom::array arms;
  if (parser.parse(answer)["arms"].get(arms)) return NotUnderstood();
  for (const dom::element arm : arms) {
    std::string_view name;
    dom::array lines;
    if (arm["arm"].get(name) || arm["lines"].get(lines)) return NotUnderstood();
    std::printf("%s%s\n", std::string(name).c_str(), lines.size() == 0 ? ": as the config in force" : "");
    for (const dom::element line : lines) {
      std::string_view text;
      if (line.get(text)) return NotUnderstood();
      std::printf("  %s\n", std::string(text).c_str());
    }
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
