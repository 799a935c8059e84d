#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/rng.h"
#include "server/api_routes.h"
#include "server/overload.h"
#include "server/serve_json.h"

namespace bowerbird::server {
namespace {

void Record(const serve::StageTimes& times, const HostedApp::ServeMetrics& metrics) {
  metrics.check->Observe(static_cast<double>(times.check_us) * 1e-6);
  metrics.retrieve->Observe(static_cast<double>(times.retrieve_us) * 1e-6);
  metrics.rank->Observe(static_cast<double>(times.rank_us) * 1e-6);
  metrics.blend->Observe(static_cast<double>(times.blend_us) * 1e-6);
  metrics.answer->Observe(static_cast<double>(times.answer_us) * 1e-6);
}

/// Answers when the user's last acknowledged event is in effect: at once in most cases, else on the request's own
/// thread.
void WhenCurrent(const std::shared_ptr<HttpRequest>& request, std::string_view user, std::function<void()> answer) {
  app::App& app = request->app->app();
  if (app.UserCurrent(user)) {
    answer();
  } else {
    app.WhenUserCurrent(user, [request, answer = std::move(answer)]() mutable { request->post(std::move(answer)); });
  }
}

/// Nothing when the request is to be answered.
std::optional<HttpResponse> Refused(Overload::Refusal refusal) {
  switch (refusal) {
    case Overload::Refusal::kNone:
      return std::nullopt;
    case Overload::Refusal::kTooLate:
      return ProblemResponse(504, "deadline_exceeded", "timeout_ms was over before the request's turn came",
                             "timeout_ms");
    case Overload::Refusal::kOverloaded: {
      HttpResponse response = ProblemResponse(429, "overloaded", "the server is asked for more than it can answer");
      response.headers.emplace_back("Retry-After", "1");
      return response;
    }
  }
  return std::nullopt;
}

/// Any number in [0, 1) will do.
double Draw() {
  thread_local base::Rng rng(static_cast<uint64_t>(base::MonotonicUs()));
  return rng.Uniform();
}

}  // namespace

void AddServeRoutes(Metrics* metrics, Api* api) {
  const auto overload = std::make_shared<Overload>(metrics);
  api->AddRoute({"POST", "/v1/recommend", "serve",
                 [overload](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   absl::StatusOr<v1::RecommendRequest> parsed = ParseRecommend(request->body);
                   if (!parsed.ok()) return respond(ProblemResponse(parsed.status()));
                   const Overload::Request asked{request->waited_us, int64_t{1000} * parsed->timeout_ms(),
                                                 ParsePriority(parsed->priority()).value_or(Priority::kNormal)};
                   const Overload::Decision decision = overload->Decide(asked, base::MonotonicUs(), Draw());
                   if (std::optional<HttpResponse> refused = Refused(decision.refusal))
                     return respond(*std::move(refused));
                   auto message = std::make_shared<const v1::RecommendRequest>(*std::move(parsed));
                   const serve::Effort effort = decision.effort;
                   WhenCurrent(request, message->user(), [request, overload, effort, message, respond] {
                     const absl::StatusOr<serve::Answer> answer =
                         request->app->app().engine().Recommend(*message, effort);
                     if (!answer.ok()) return respond(ProblemResponse(answer.status()));
                     overload->Answered(effort, answer->times.total_us);
                     Record(answer->times, request->app->serve_metrics());
                     HttpResponse response;
                     WriteAnswer(*answer, &response.body);
                     respond(std::move(response));
                   });
                 }});
  api->AddRoute(
      {"POST", "/v1/rank", "serve", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         absl::StatusOr<v1::RankRequest> parsed = ParseRank(request->body);
         if (!parsed.ok()) return respond(ProblemResponse(parsed.status()));
         auto message = std::make_shared<const v1::RankRequest>(*std::move(parsed));
         WhenCurrent(request, message->user(), [request, message, respond] {
           const absl::StatusOr<serve::RankAnswer> answer = request->app->app().engine().Rank(*message);
           if (!answer.ok()) return respond(ProblemResponse(answer.status()));
           HttpResponse response;
           WriteRankAnswer(*answer, &response.body);
           respond(std::move(response));
         });
       }});
  api->AddRoute({"GET", "/v1/users/{id}/profile", "serve",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   v1::ProfileRequest message;
                   message.set_id(request->path_parameters["id"]);
                   WhenCurrent(request, message.id(), [request, message, respond] {
                     const absl::StatusOr<v1::ProfileResponse> profile = request->app->app().engine().Profile(message);
                     if (!profile.ok()) return respond(ProblemResponse(profile.status()));
                     HttpResponse response;
                     WriteProfile(*profile, &response.body);
                     respond(std::move(response));
                   });
                 }});
  api->AddRoute({"GET", "/v1/users/{id}/collections/{name}", "serve",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   v1::CollectionRequest message;
                   message.set_id(request->path_parameters["id"]);
                   message.set_name(request->path_parameters["name"]);
                   WhenCurrent(request, message.id(), [request, message, respond] {
                     const absl::StatusOr<v1::CollectionResponse> collection =
                         request->app->app().engine().Collection(message);
                     if (!collection.ok()) return respond(ProblemResponse(collection.status()));
                     HttpResponse response;
                     WriteCollection(*collection, &response.body);
                     respond(std::move(response));
                   });
                 }});
}

}  // namespace bowerbird::server
