#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "bowerbird/v1/experiment_service.pb.h"
#include "catalog/problem.h"
#include "experiment/assignment/lifecycle.h"
#include "experiment/live/experiments.h"
#include "server/api_routes.h"
#include "server/experiment_json.h"
#include "server/forward.h"

namespace bowerbird::server {
namespace {

using experiment::live::Experiments;

/// Buckets are given away by one node of a cluster.
constexpr uint32_t kExperimentWriter = 0;

HttpResponse MessageResponse(const google::protobuf::Message& message) {
  HttpResponse response;
  WriteMessage(message, &response.body);
  return response;
}

template <typename Message>
HttpResponse MessageResponse(const absl::StatusOr<Message>& message) {
  return message.ok() ? MessageResponse(static_cast<const google::protobuf::Message&>(*message))
                      : ProblemResponse(message.status());
}

Experiments& Of(const HttpRequest& request) { return request.app->app().experiments(); }
const std::string& Id(const HttpRequest& request) { return request.path_parameters.find("id")->second; }

/// Answers what `change` says, where those who serve do not wait for it: it writes to the log, and puts configs
/// together. Of several nodes, by the one that gives buckets away.
template <typename F>
Handler Changing(Api* api, F change) {
  return [api, change](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
    const auto here = [request, respond, change] {
      QueueWrite(request->app.get(), respond, [request, respond, change] { respond(change(*request)); });
    };
    if (api->forwarder().alone()) return here();
    Forwarder::Asked asked;
    asked.answer = [here](const std::string&) { here(); };
    asked.without_owner = [respond] {
      respond(ProblemResponse(503, "owner_unreachable",
                              "node 0, which changes experiments, does not answer; try again in a second"));
    };
    api->forwarder().BringTo(kExperimentWriter, request, std::move(asked), respond);
  };
}

HttpResponse Create(HttpRequest& request) {
  v1::Experiment experiment;
  if (const absl::Status parsed = ParseExperiment(request.body, &experiment); !parsed.ok())
    return ProblemResponse(parsed);
  request.audit_detail = "id " + experiment.id().substr(0, 64);
  return MessageResponse(Of(request).Create(std::move(experiment)));
}

HttpResponse Edit(HttpRequest& request) {
  absl::StatusOr<v1::Experiment> experiment = Of(request).Get(Id(request));
  if (!experiment.ok()) return ProblemResponse(experiment.status());
  if (const absl::Status parsed = ParseExperiment(request.body, &*experiment); !parsed.ok())
    return ProblemResponse(parsed);
  return MessageResponse(Of(request).Edit(*std::move(experiment)));
}

HttpResponse Delete(HttpRequest& request) {
  const absl::Status deleted = Of(request).Delete(Id(request));
  return deleted.ok() ? MessageResponse(v1::Empty()) : ProblemResponse(deleted);
}

HttpResponse Ramp(HttpRequest& request) {
  v1::Ramping ramping;
  if (const absl::Status parsed = ParseSmall(request.body, &ramping); !parsed.ok()) return ProblemResponse(parsed);
  request.audit_detail = fmt::format("id {}: traffic {}", Id(request), ramping.traffic());
  return MessageResponse(Of(request).Ramp(Id(request), ramping.traffic()));
}

HttpResponse Stop(HttpRequest& request) {
  v1::Stopping stopping;
  if (const absl::Status parsed = ParseSmall(request.body, &stopping); !parsed.ok()) return ProblemResponse(parsed);
  return MessageResponse(Of(request).Stop(Id(request), stopping.reason()));
}

HttpResponse Decide(HttpRequest& request) {
  v1::Decision decision;
  if (const absl::Status parsed = ParseSmall(request.body, &decision); !parsed.ok()) return ProblemResponse(parsed);
  request.audit_detail = fmt::format("id {}: winner {}", Id(request), decision.winner().substr(0, 64));
  return MessageResponse(Of(request).Decide(Id(request), decision.winner()));
}

HttpResponse List(const HttpRequest& request) {
  const auto state = request.query.find("state");
  v1::ListExperimentsResponse response;
  for (v1::Experiment& experiment : Of(request).List()) {
    if (state == request.query.end() || experiment::assignment::StateName(experiment.state()) == state->second)
      *response.add_experiments() = std::move(experiment);
  }
  return MessageResponse(response);
}

void Assign(Api* api, const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
  absl::StatusOr<v1::AssignRequest> parsed = ParseAssign(request->body);
  if (!parsed.ok()) return respond(ProblemResponse(parsed.status()));
  auto message = std::make_shared<v1::AssignRequest>(*std::move(parsed));
  Forwarder::Asked about;
  about.user = message->user();
  about.answer = [request, respond, message](const std::string& user) {
    message->set_user(user);
    respond(MessageResponse(Of(*request).Assign(*message)));
  };
  about.without_owner = [respond] {
    respond(ProblemResponse(503, "owner_unreachable",
                            "the node that has the user's state does not answer; try again in a second"));
  };
  api->forwarder().Bring(request, std::move(about), respond);
}

}  // namespace

void AddExperimentRoutes(Api* api) {
  api->AddRoute({"POST", "/v1/experiments", "admin", Changing(api, Create)});
  api->AddRoute(
      {"GET", "/v1/experiments", "admin",
       [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) { respond(List(*request)); }});
  api->AddRoute({"GET", "/v1/experiments/{id}", "admin",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   respond(MessageResponse(Of(*request).Get(Id(*request))));
                 }});
  api->AddRoute({"PATCH", "/v1/experiments/{id}", "admin", Changing(api, Edit)});
  api->AddRoute({"DELETE", "/v1/experiments/{id}", "admin", Changing(api, Delete)});
  api->AddRoute({"POST", "/v1/experiments/{id}:start", "admin",
                 Changing(api, [](HttpRequest& request) { return MessageResponse(Of(request).Start(Id(request))); })});
  api->AddRoute({"POST", "/v1/experiments/{id}:ramp", "admin", Changing(api, Ramp)});
  api->AddRoute({"POST", "/v1/experiments/{id}:stop", "admin", Changing(api, Stop)});
  api->AddRoute({"POST", "/v1/experiments/{id}:decide", "admin", Changing(api, Decide)});
  api->AddRoute({"GET", "/v1/experiments/{id}/diff", "admin",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   QueueWrite(request->app.get(), respond,
                              [request, respond] { respond(MessageResponse(Of(*request).Diff(Id(*request)))); });
                 }});
  api->AddRoute(
      {"POST", "/v1/assign", "serve", [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         Assign(api, request, respond);
       }});
}

}  // namespace bowerbird::server
