#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>
#include <string>

#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/progress.h"
#include "server/http.h"

namespace bowerbird::cli {
namespace {

namespace dom = simdjson::dom;

absl::Status NotUnderstood() { return absl::InternalError("the server's answer is not what was asked for"); }

absl::Status PrintDay(const dom::element& day) {
  std::string_view name;
  double marked_share = 0;
  dom::array reasons;
  if (day["day"].get(name) || day["marked_share"].get(marked_share) || day["reasons"].get(reasons))
    return NotUnderstood();
  std::printf("%.*s  %6.2f%% of the events are marked traffic\n", static_cast<int>(name.size()), name.data(),
              100 * marked_share);
  for (const dom::element share : reasons) {
    std::string_view reason;
    uint64_t events = 0, users = 0;
    double part = 0;
    if (share["reason"].get(reason) || share["events"].get(events) || share["users"].get(users) ||
        share["share"].get(part)) {
      return NotUnderstood();
    }
    std::printf("    %-8.*s %6.2f%%  %12s events  %10s users\n", static_cast<int>(reason.size()), reason.data(),
                100 * part, Thousands(events).c_str(), Thousands(users).c_str());
  }
  return absl::OkStatus();
}

std::string MarkTarget(const std::string& id) { return fmt::format("/v1/users/{}/mark", server::PercentEncode(id)); }

}  // namespace

absl::Status Traffic(const TrafficOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  ASSIGN_OR_RETURN(const std::string body,
                   connection->Checked("GET", fmt::format("/v1/traffic?days={}", options.days), ""));
  if (options.json) {
    std::printf("%s\n", body.c_str());
    return absl::OkStatus();
  }
  dom::parser parser;
  dom::element root;
  dom::array days;
  if (parser.parse(body).get(root) || root["days"].get(days)) return NotUnderstood();
  if (days.size() == 0) std::printf("no events in the last %u days\n", options.days);
  for (const dom::element day : days) RETURN_IF_ERROR(PrintDay(day));
  return absl::OkStatus();
}

absl::Status UsersMark(const UserOptions& options, bool marked) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  RETURN_IF_ERROR(
      connection->Checked("PUT", MarkTarget(options.id), fmt::format("{{\"marked\":{}}}", marked)).status());
  std::printf("%s: %s\n", options.id.c_str(),
              marked ? "all that they do is marked traffic" : "no rule marks what they do any more");
  return absl::OkStatus();
}

absl::Status UsersByRules(const UserOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  RETURN_IF_ERROR(connection->Checked("DELETE", MarkTarget(options.id), "").status());
  std::printf("%s: left to the rules\n", options.id.c_str());
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
