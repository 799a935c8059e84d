#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
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

constexpr uint64_t kPageUsers = 10'000;

absl::Status NotUnderstood() { return absl::InternalError("the server's answer is not what was asked for"); }

}  // namespace

absl::Status SegmentsList(const SegmentsOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("GET", "/v1/segments", ""));
  dom::parser parser;
  dom::element root;
  dom::array segments;
  uint64_t users = 0;
  double sampled_share = 1;
  if (parser.parse(answer).get(root) || root["segments"].get(segments) || root["users"].get(users) ||
      root["sampled_share"].get(sampled_share)) {
    return NotUnderstood();
  }
  std::printf("%-24s %12s %7s  %-16s %s\n", "segment", "users", "share", "owner", "where");
  for (const dom::element segment : segments) {
    std::string_view name, where, owner;
    uint64_t inside = 0;
    double share = 0;
    if (segment["name"].get(name) || segment["where"].get(where) || segment["owner"].get(owner) ||
        segment["users"].get(inside) || segment["share"].get(share)) {
      return NotUnderstood();
    }
    std::printf("%-24s %12s %6.1f%%  %-16s %s\n", std::string(name).c_str(), Thousands(inside).c_str(), 100 * share,
                owner.empty() ? "-" : std::string(owner).c_str(), std::string(where).c_str());
  }
  std::printf("%s users%s\n", Thousands(users).c_str(),
              sampled_share < 1 ? fmt::format(" (estimated from {:.2g}% of them)", 100 * sampled_share).c_str() : "");
  return absl::OkStatus();
}

absl::Status SegmentUsers(const SegmentsOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  uint64_t left = options.n == 0 ? UINT64_MAX : options.n;
  std::string after;
  do {
    const std::string target = fmt::format("/v1/segments/{}/users?limit={}&after={}",
                                           server::PercentEncode(options.name), std::min(left, kPageUsers), after);
    ASSIGN_OR_RETURN(const std::string answer, connection->Checked("GET", target, ""));
    dom::parser parser;
    dom::element root;
    dom::array users;
    std::string_view next;
    if (parser.parse(answer).get(root) || root["users"].get(users) || root["next"].get(next)) return NotUnderstood();
    for (const dom::element user : users) {
      std::string_view id;
      if (user.get(id)) return NotUnderstood();
      std::printf("%.*s\n", static_cast<int>(id.size()), id.data());
    }
    left -= users.size();
    after = next;
  } while (left > 0 && !after.empty());
  return absl::OkStatus();
}

absl::Status SegmentsWrite(const SegmentsOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/segments:write", ""));
  dom::parser parser;
  dom::element root;
  std::string_view table, file;
  uint64_t rows = 0;
  double seconds = 0;
  if (parser.parse(answer).get(root) || root["table"].get(table) || root["file"].get(file) || root["rows"].get(rows) ||
      root["seconds"].get(seconds)) {
    return NotUnderstood();
  }
  std::printf("%s: %s rows in %.2f s\n  %s\n", std::string(table).c_str(), Thousands(rows).c_str(), seconds,
              std::string(file).c_str());
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
