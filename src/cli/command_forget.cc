#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>

#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "server/http.h"

namespace bowerbird::cli {
namespace {

namespace dom = simdjson::dom;

absl::Status NotUnderstood() { return absl::InternalError("the server's answer is not what was asked for"); }

uint64_t Number(const dom::element& object, const char* key) {
  uint64_t number = 0;
  return object[key].get(number) == simdjson::SUCCESS ? number : 0;
}

void PrintPlaces(const dom::element& root, const char* key) {
  dom::array places;
  if (root[key].get(places) != simdjson::SUCCESS) return;
  for (const dom::element place : places) {
    std::string_view name;
    if (place["place"].get(name) == simdjson::SUCCESS)
      std::printf("  %8llu  %.*s\n", static_cast<unsigned long long>(Number(place, "count")),
                  static_cast<int>(name.size()), name.data());
  }
}

size_t SizeOf(const dom::element& root, const char* key) {
  dom::array list;
  return root[key].get(list) == simdjson::SUCCESS ? list.size() : 0;
}

}  // namespace

absl::Status UsersForget(const UserOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  ASSIGN_OR_RETURN(const std::string body,
                   connection->Checked("DELETE", "/v1/users/" + server::PercentEncode(options.id), ""));
  if (options.json) {
    std::printf("%s\n", body.c_str());
    return absl::OkStatus();
  }
  dom::parser parser;
  dom::element root;
  if (parser.parse(body).get(root)) return NotUnderstood();
  std::printf("forgotten: %llu ids of one user; `bowerbird job run redact` takes them out of log, lake and files now\n",
              static_cast<unsigned long long>(Number(root, "ids")));
  return absl::OkStatus();
}

absl::Status AuditUser(const UserOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  ASSIGN_OR_RETURN(
      const std::string body,
      connection->Checked("GET", fmt::format("/v1/users/{}/audit", server::PercentEncode(options.id)), ""));
  if (options.json) {
    std::printf("%s\n", body.c_str());
    return absl::OkStatus();
  }
  dom::parser parser;
  dom::element root;
  bool fields_only = false;
  if (parser.parse(body).get(root) || root["fields_only"].get(fields_only)) return NotUnderstood();
  const size_t places = SizeOf(root, "traces"), kept = SizeOf(root, "kept");
  if (places == 0) {
    std::printf("nothing of %s is anywhere\n", options.id.c_str());
  } else {
    std::printf("%s is in %zu places:\n", options.id.c_str(), places);
    PrintPlaces(root, "traces");
  }
  if (kept > 0) {
    std::printf("kept under the keyed hash of the id, without it:\n");
    PrintPlaces(root, "kept");
  }
  if (fields_only)
    std::printf("the id is so short that any bytes hold it: it was looked for as a field and in text files alone\n");
  dom::array problems;
  if (root["problems"].get(problems)) return NotUnderstood();
  for (const dom::element problem : problems) {
    std::string_view text;
    if (problem.get(text) == simdjson::SUCCESS)
      std::fprintf(stderr, "warning: %.*s\n", static_cast<int>(text.size()), text.data());
  }
  return problems.size() == 0 ? absl::OkStatus()
                              : absl::DataLossError(fmt::format("{} files could not be read", problems.size()));
}

absl::Status RunRedact(const JobRunOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  ASSIGN_OR_RETURN(const std::string body, connection->Checked("POST", "/v1/jobs/redact", "{}"));
  if (options.json) {
    std::printf("%s\n", body.c_str());
    return absl::OkStatus();
  }
  dom::parser parser;
  dom::element root;
  double seconds = 0;
  bool by_retention = false;
  if (parser.parse(body).get(root) || root["seconds"].get(seconds) || root["log_by_retention"].get(by_retention))
    return NotUnderstood();
  const auto number = [&](const char* key) { return static_cast<unsigned long long>(Number(root, key)); };
  std::printf("%llu ids left: %llu records of the log and %llu rows of the lake redacted in %.2f s\n", number("ids"),
              number("log_records"), number("lake_rows"), seconds);
  if (by_retention) std::printf("the log is in Kafka: its records go with the topics' retention\n");
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
