#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/connection.h"

namespace bowerbird::cli {
namespace {

using simdjson::dom::element;

std::string_view Text(element parent, std::string_view key) {
  std::string_view text;
  if (parent[key].get(text) != simdjson::SUCCESS) return {};
  return text;
}

double Number(element parent, std::string_view key) {
  double number = 0;
  if (parent[key].get(number) != simdjson::SUCCESS) return 0;
  return number;
}

void PrintItem(element item, bool explain) {
  std::string title(Text(item, "id"));
  element document;
  if (item["item"].get(document) == simdjson::SUCCESS && !Text(document, "title").empty())
    title = Text(document, "title");
  std::printf("%3.0f  %-60s  %.4f\n", Number(item, "position"), title.c_str(), Number(item, "score"));
  element why;
  if (!explain || item["explanation"].get(why) != simdjson::SUCCESS) return;
  std::printf("     %s\n", std::string(Text(why, "reason")).c_str());
  simdjson::dom::array sources;
  std::string line;
  if (why["sources"].get(sources) == simdjson::SUCCESS) {
    for (const element source : sources) {
      line += fmt::format("{}{} #{:.0f} ({:.3f})", line.empty() ? "" : ", ", Text(source, "generator"),
                          Number(source, "rank"), Number(source, "score"));
    }
  }
  std::printf("     from %s\n", line.c_str());
}

void PrintOutcome(element outcome) {
  std::printf("%s: %s (%s/%s)\n", std::string(Text(outcome, "id")).c_str(),
              std::string(Text(outcome, "detail")).c_str(), std::string(Text(outcome, "stage")).c_str(),
              std::string(Text(outcome, "code")).c_str());
}

}  // namespace

absl::Status Recommend(const RecommendOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject().Key("surface").String(options.surface).Key("user").String(options.user).Key("n").Uint(options.n);
  if (!options.item.empty()) json.Key("item").String(options.item);
  if (!options.filter.empty()) json.Key("filter").String(options.filter);
  if (!options.why_not.empty()) {
    json.Key("explain_items").BeginArray();
    for (const std::string& item : options.why_not) json.String(item);
    json.EndArray();
  }
  json.Key("explain").Bool(options.explain).Key("fields").BeginArray().String("title").EndArray().EndObject();
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/recommend", body));
  if (options.json) {
    std::printf("%s\n", answer.c_str());
    return absl::OkStatus();
  }
  simdjson::dom::parser parser;
  element document;
  simdjson::dom::array items;
  if (parser.parse(answer).get(document) || document["items"].get(items))
    return absl::InternalError("the answer is not JSON");
  for (const element item : items) PrintItem(item, options.explain);
  simdjson::dom::array outcomes;
  if (document["outcomes"].get(outcomes) == simdjson::SUCCESS) {
    for (const element outcome : outcomes) PrintOutcome(outcome);
  }
  std::printf("request %s, snapshot %s\n", std::string(Text(document, "request_id")).c_str(),
              std::string(Text(document, "snapshot")).c_str());
  simdjson::dom::array degraded;
  if (document["degraded"].get(degraded) == simdjson::SUCCESS) {
    for (const element name : degraded) std::printf("degraded: %s\n", std::string(std::string_view(name)).c_str());
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
