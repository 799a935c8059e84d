#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/connection.h"
#include "cli/progress.h"
#include "cli/training.h"

namespace bowerbird::cli {
namespace {

namespace dom = simdjson::dom;

absl::Status NotUnderstood() { return absl::InternalError("the server's answer is not what was asked for"); }

uint64_t Number(const dom::element& object, const char* key) {
  uint64_t number = 0;
  return object[key].get(number) == simdjson::SUCCESS ? number : 0;
}

std::string Text(const dom::element& object, const char* key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

/// How many refusals of bounds the set has.
size_t PrintSet(const dom::element& set) {
  bool closed = false;
  if (set["closed"].get(closed) != simdjson::SUCCESS) closed = false;
  std::printf("%s%s: %s rows, %s candidates, %s of them shown", Text(set, "day").c_str(), closed ? "" : " (open)",
              Thousands(Number(set, "rows")).c_str(), Thousands(Number(set, "candidates")).c_str(),
              Thousands(Number(set, "shown")).c_str());
  const dom::element seen_by = set["seen_by"];
  std::printf("; seen by impressions %s, by the last position %s, unknown %s\n",
              Thousands(Number(seen_by, "impressions")).c_str(), Thousands(Number(seen_by, "last_position")).c_str(),
              Thousands(Number(seen_by, "nothing")).c_str());
  dom::object labels, refused;
  if (set["labels"].get(labels) == simdjson::SUCCESS) {
    for (const auto [name, label] : labels) {
      double rate = 0;
      if (label["rate"].get(rate) != simdjson::SUCCESS) rate = 0;
      std::printf("  %-20s %10s labels, rate %.4f, %s null\n", std::string(name).c_str(),
                  Thousands(Number(label, "labels")).c_str(), rate, Thousands(Number(label, "nulls")).c_str());
    }
  }
  if (set["refused"].get(refused) == simdjson::SUCCESS) {
    for (const auto [reason, count] : refused) {
      uint64_t rows = 0;
      if (count.get(rows) != simdjson::SUCCESS) rows = 0;
      std::printf("  left out: %s rows, %s\n", Thousands(rows).c_str(), std::string(reason).c_str());
    }
  }
  dom::array refusals;
  if (set["refusals"].get(refusals) != simdjson::SUCCESS) return 0;
  for (const dom::element refusal : refusals) {
    std::string_view text;
    if (refusal.get(text) == simdjson::SUCCESS) std::printf("  refused: %s\n", std::string(text).c_str());
  }
  if (Number(set, "bounds") == 0) std::printf("  no bounds yet: too few sets before it\n");
  return refusals.size();
}

}  // namespace

absl::Status RowsBuild(const RowsOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject().Key("from").String(options.from).Key("to").String(options.to);
  json.Key("negatives").Double(options.negatives).Key("correction").String(options.correction).EndObject();
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/jobs/rows", body));
  dom::parser parser;
  dom::element root;
  dom::array sets;
  double seconds = 0, rate = 0;
  if (parser.parse(answer).get(root) || root["sets"].get(sets) || root["seconds"].get(seconds) ||
      root["candidates_per_second"].get(rate)) {
    return NotUnderstood();
  }
  if (options.json) {
    std::printf("%s\n", answer.c_str());
  } else {
    for (const dom::element set : sets) PrintSet(set);
    std::printf("%.2f s: %s candidates a second; %s events read, %s of them on items that no request explains\n",
                seconds, Thousands(static_cast<uint64_t>(rate)).c_str(), Thousands(Number(root, "events")).c_str(),
                Thousands(Number(root, "unattributed")).c_str());
  }
  const uint64_t leaks = Number(root, "leaks");
  if (leaks == 0) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("{} rows knew something of after their request; they are left out", Thousands(leaks)));
}

absl::Status RowsReport(const RowsOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("GET", "/v1/rows", ""));
  dom::parser parser;
  dom::element root;
  dom::array sets;
  if (parser.parse(answer).get(root) || root["sets"].get(sets)) return NotUnderstood();
  size_t refusals = 0;
  for (const dom::element set : sets) {
    dom::array of_set;
    if (!options.json) refusals += PrintSet(set);
    if (options.json && set["refusals"].get(of_set) == simdjson::SUCCESS) refusals += of_set.size();
  }
  if (options.json) std::printf("%s\n", answer.c_str());
  if (refusals == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{} bounds do not hold: no ranker is trained on these sets", refusals));
}

absl::Status TrainRanker(const RankerOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject().Key("surface").String(options.surface).Key("from").String(options.from);
  json.Key("to").String(options.to).Key("promote").Bool(options.promote).EndObject();
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/jobs/train-ranker", body));
  if (options.json) {
    std::printf("%s\n", answer.c_str());
    return absl::OkStatus();
  }
  dom::parser parser;
  dom::element root;
  dom::object metrics;
  double seconds = 0;
  if (parser.parse(answer).get(root) || root["metrics"].get(metrics) || root["seconds"].get(seconds))
    return NotUnderstood();
  std::printf("%s version %s in %.2f s%s\n", Text(root, "artifact").c_str(), Text(root, "version").c_str(), seconds,
              options.promote ? ", promoted" : "");
  for (const auto [name, metric] : metrics) {
    double value = 0;
    if (metric.get(value) == simdjson::SUCCESS)
      std::printf("  %-24s %s\n", std::string(name).c_str(), fmt::format("{:.6g}", value).c_str());
  }
  return absl::OkStatus();
}

absl::Status PromoteRanker(const RankerOptions& options) {
  if (options.version.empty() != options.none)
    return absl::InvalidArgumentError("ranker promote: expected either --version or --none");
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  std::string body;
  base::JsonWriter(&body)
      .BeginObject()
      .Key("surface")
      .String(options.surface)
      .Key("version")
      .String(options.version)
      .EndObject();
  RETURN_IF_ERROR(connection->Checked("POST", "/v1/rankers:promote", body).status());
  std::printf("%s: %s\n", options.surface.c_str(),
              options.none ? "ordered by the ranker's own weights"
                           : fmt::format("ordered by ranker {}", options.version).c_str());
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
