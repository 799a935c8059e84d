#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "app/experiment_report.h"
#include "base/status_macros.h"
#include "experiment/verdict/report.h"
#include "mcp/session.h"
#include "server/api_routes.h"
#include "server/experiment_result_routes.h"
#include "server/hosted_app.h"
#include "server/keys.h"
#include "server/mcp_tools.h"

namespace bowerbird::server {
namespace {

constexpr char kInstructions[] =
    "Bowerbird is a personalization engine: users act on items (events), requests are answered with items (served). "
    "Begin "
    "with list_tables and describe_table, then ask with run_sql (DuckDB's SQL, one SELECT, aggregate rather than read "
    "rows). "
    "Users may be masked: user_ and 16 digits stand for one user everywhere. Use search_docs for what words mean, "
    "explain_request for why an answer was as it was, explain_user for one user, pipeline_health for what is wrong.";

/// Whether users are masked. A key of scope admin sees them as they are; whoever has no key, because the folder or the
/// machine is theirs, says so. Nothing: they may not; `problem` is the answer.
std::optional<bool> Masked(const HttpRequest& request, HttpResponse* problem) {
  const bool may_see = request.key == nullptr || request.key->Allows("admin");
  const auto asked = request.query.find("mask");
  if (asked == request.query.end()) return request.key == nullptr || !may_see;
  if (asked->second == "true") return true;
  if (asked->second != "false") {
    *problem = ProblemResponse(400, "invalid_argument", "expected true or false", "mask");
    return std::nullopt;
  }
  if (may_see) return false;
  *problem = ProblemResponse(403, "permission_denied", "users are shown unmasked to a key with scope 'admin'", "mask");
  return std::nullopt;
}

bool Accepts(const HttpRequest& request) {
  const std::string* accept = request.Header("accept");
  return accept == nullptr || accept->find("application/json") != std::string::npos ||
         accept->find("*/*") != std::string::npos || accept->find("application/*") != std::string::npos;
}

ExperimentTools Experiments() {
  ExperimentTools tools;
  tools.report = [](app::App& app, const std::string& id) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(const v1::Experiment experiment, app.experiments().Get(id));
    ASSIGN_OR_RETURN(const v1::ExperimentResults results, app::ReportExperiment(app, experiment, {}));
    return experiment::verdict::ToText(results);
  };
  tools.power = [](app::App& app, const std::string& metric, double effect) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(const v1::ExperimentPower power, app::ReportPower(app, metric, effect, app::kPowerDaysDefault));
    return ToJson(power);
  };
  return tools;
}

HttpResponse Answer(Api* api, const std::shared_ptr<HttpRequest>& request, bool masked, std::string revision) {
  McpTools tools(api, {request, masked}, Experiments());
  mcp::Session session({BOWERBIRD_VERSION, kInstructions, std::move(revision)}, &tools);
  std::optional<std::string> answer = session.Handle(request->body);
  HttpResponse response;
  if (!answer.has_value()) {
    response.status = 202;  // a notification, or an answer to a question that was never asked
    return response;
  }
  response.body = *std::move(answer);
  return response;
}

}  // namespace

void AddMcpRoutes(Api* api) {
  // Pages may call it from allowed origins alone: one that was made to lead here by its name may not.
  api->AddRoute({.method = "POST",
                 .pattern = "/mcp",
                 .scope = "analyst",
                 .handler =
                     [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                       HttpResponse problem;
                       const std::optional<bool> masked = Masked(*request, &problem);
                       if (!masked.has_value()) return respond(std::move(problem));
                       if (!Accepts(*request))
                         return respond(ProblemResponse(406, "not_acceptable", "expected Accept: application/json"));
                       const std::string* named = request->Header("mcp-protocol-version");
                       if (named != nullptr && !mcp::SpeaksRevision(*named)) {
                         return respond(ProblemResponse(400, "unsupported_revision",
                                                        "expected 2025-06-18 or 2025-03-26", "MCP-Protocol-Version"));
                       }
                       const std::string revision(named == nullptr ? mcp::kUnnamedRevision : *named);
                       QueueJob(&request->app->queries(), respond, [api, request, masked = *masked, revision] {
                         return Answer(api, request, masked, revision);
                       });
                     },
                 .browser = true});
}

}  // namespace bowerbird::server
