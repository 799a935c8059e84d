#include <google/protobuf/arena.h>

#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/rng.h"
#include "serve/answer.h"
#include "server/api_routes.h"
#include "server/body.h"
#include "server/forward.h"
#include "server/overload.h"
#include "server/profile_reader.h"
#include "server/serve_json.h"

namespace bowerbird::server {
namespace {

constexpr size_t kProfileJsonBytes = 16 << 10;  // of most profiles, at most

void Record(const serve::StageTimes& times, const HostedApp::ServeMetrics& metrics) {
  metrics.check->Observe(static_cast<double>(times.check_us) * 1e-6);
  metrics.retrieve->Observe(static_cast<double>(times.retrieve_us) * 1e-6);
  metrics.rank->Observe(static_cast<double>(times.rank_us) * 1e-6);
  metrics.blend->Observe(static_cast<double>(times.blend_us) * 1e-6);
  metrics.answer->Observe(static_cast<double>(times.answer_us) * 1e-6);
}

/// The answer where it cannot be made without the user's state.
HttpResponse OwnerUnreachable() {
  HttpResponse response = ProblemResponse(503, std::string(serve::kDegradedOwner),
                                          "the node that has the user's state does not answer; try again in a second");
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

/// `message` as it is answered for `user`, whom the user that it names may have become.
template <typename Message>
std::shared_ptr<const Message> For(const std::shared_ptr<const Message>& message, const std::string& user) {
  if (message->user() == user) return message;
  auto other = std::make_shared<Message>(*message);
  other->set_user(user);
  return other;
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
  api->AddRoute(
      {"POST", "/v1/recommend", "serve",
       [api, overload](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         absl::StatusOr<v1::RecommendRequest> parsed = ParseRecommend(request->body);
         if (!parsed.ok()) return respond(ProblemResponse(parsed.status()));
         const Overload::Request asked{request->waited_us, int64_t{1000} * parsed->timeout_ms(),
                                       ParsePriority(parsed->priority()).value_or(Priority::kNormal)};
         const Overload::Decision decision = overload->Decide(asked, base::MonotonicUs(), Draw());
         if (std::optional<HttpResponse> refused = Refused(decision.refusal)) return respond(*std::move(refused));
         auto message = std::make_shared<const v1::RecommendRequest>(*std::move(parsed));
         const auto answer_with = [request, overload, message, respond](const std::string& user, serve::Effort effort) {
           const absl::StatusOr<serve::Answer> answer =
               request->app->app().engine().Recommend(*For(message, user), effort);
           if (!answer.ok()) return respond(ProblemResponse(answer.status()));
           overload->Answered(effort, answer->times.total_us);
           Record(answer->times, request->app->serve_metrics());
           HttpResponse response;
           WriteAnswer(*answer, &response.body);
           respond(std::move(response));
         };
         Forwarder::Asked about;
         about.user = message->user();
         about.timeout_us = asked.timeout_us;
         about.answer = [answer_with, effort = decision.effort](const std::string& user) { answer_with(user, effort); };
         about.without_owner = [answer_with, message] {
           // Nobody's state is missed where there is no user, only what was shown before.
           answer_with(message->user(), message->user().empty() ? serve::Effort::kFull : serve::Effort::kOwnerAway);
         };
         Forwarder& forwarder = api->forwarder();
         if (!forwarder.alone() && message->user().empty() && !message->cursor().empty()) {
           // The pages before were shown by one node, which alone knows what was on them.
           const auto node = request->app->app().engine().NodeOfCursor(*message);
           if (node.has_value()) return forwarder.BringTo(*node, request, std::move(about), respond);
         }
         forwarder.Bring(request, std::move(about), respond);
       }});
  api->AddRoute(
      {"POST", "/v1/rank", "serve", [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         absl::StatusOr<v1::RankRequest> parsed = ParseRank(request->body);
         if (!parsed.ok()) return respond(ProblemResponse(parsed.status()));
         auto message = std::make_shared<const v1::RankRequest>(*std::move(parsed));
         const auto answer_with = [request, message, respond](const std::string& user, serve::Effort effort) {
           const absl::StatusOr<serve::RankAnswer> answer =
               request->app->app().engine().Rank(*For(message, user), effort);
           if (!answer.ok()) return respond(ProblemResponse(answer.status()));
           HttpResponse response;
           WriteRankAnswer(*answer, &response.body);
           respond(std::move(response));
         };
         Forwarder::Asked about;
         about.user = message->user();
         about.answer = [answer_with](const std::string& user) { answer_with(user, serve::Effort::kFull); };
         about.without_owner = [answer_with, message] { answer_with(message->user(), serve::Effort::kOwnerAway); };
         api->forwarder().Bring(request, std::move(about), respond);
       }});
  api->AddRoute({"GET", "/v1/users/{id}/profile", "serve",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   Forwarder::Asked about;
                   about.user = request->path_parameters["id"];
                   about.answer = [request, respond](const std::string& user) {
                     v1::ProfileRequest message;
                     message.set_id(user);
                     if (const auto parts = request->query.find("parts"); parts != request->query.end()) {
                       message.set_parts(parts->second);
                     }
                     google::protobuf::Arena arena;
                     auto* const profile = google::protobuf::Arena::CreateMessage<v1::ProfileResponse>(&arena);
                     if (const absl::Status read = request->app->app().engine().Profile(message, profile); !read.ok()) {
                       return respond(ProblemResponse(read));
                     }
                     HttpResponse response;
                     if (AcceptsProtobuf(*request)) {
                       response.content_type = kProtobufType;
                       profile->SerializeToString(&response.body);
                     } else {
                       response.body.reserve(kProfileJsonBytes);
                       WriteProfile(*profile, &response.body);
                     }
                     respond(std::move(response));
                   };
                   about.without_owner = [respond] { respond(OwnerUnreachable()); };
                   api->forwarder().Bring(request, std::move(about), respond);
                 }});
  api->AddRoute({"POST", "/v1/users:profiles", "serve",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   const absl::StatusOr<v1::BatchGetProfilesRequest> parsed = ParseProfiles(request->body);
                   if (!parsed.ok()) return respond(ProblemResponse(parsed.status()));
                   if (const absl::Status refused = ProfileBatch::Check(*parsed); !refused.ok()) {
                     return respond(ProblemResponse(refused));
                   }
                   ProfileCaller caller{request, ProfileBatch::Joined(parsed->parts()), 0, request->client_gone};
                   std::make_shared<ProfileBatch>(api, std::move(caller), *parsed, [respond](const auto& profiles) {
                     HttpResponse response;
                     WriteProfiles(profiles, &response.body);
                     respond(std::move(response));
                   })->Start();
                 }});
  api->AddRoute({"GET", "/v1/users/{id}/history", "serve",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   const absl::StatusOr<v1::HistoryRequest> parsed = ParseHistory(request->query);
                   if (!parsed.ok()) return respond(ProblemResponse(parsed.status()));
                   Forwarder::Asked about;
                   about.user = request->path_parameters["id"];
                   about.answer = [request, asked = *parsed, respond](const std::string& user) {
                     v1::HistoryRequest message = asked;
                     message.set_id(user);
                     const absl::StatusOr<v1::HistoryResponse> history = request->app->app().engine().History(message);
                     if (!history.ok()) return respond(ProblemResponse(history.status()));
                     HttpResponse response;
                     WriteHistory(*history, &response.body);
                     respond(std::move(response));
                   };
                   about.without_owner = [respond] { respond(OwnerUnreachable()); };
                   api->forwarder().Bring(request, std::move(about), respond);
                 }});
  api->AddRoute({"GET", "/v1/users/{id}/collections/{name}", "serve",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   Forwarder::Asked about;
                   about.user = request->path_parameters["id"];
                   about.answer = [request, respond](const std::string& user) {
                     v1::CollectionRequest message;
                     message.set_id(user);
                     message.set_name(request->path_parameters["name"]);
                     const absl::StatusOr<v1::CollectionResponse> collection =
                         request->app->app().engine().Collection(message);
                     if (!collection.ok()) return respond(ProblemResponse(collection.status()));
                     HttpResponse response;
                     WriteCollection(*collection, &response.body);
                     respond(std::move(response));
                   };
                   about.without_owner = [respond] { respond(OwnerUnreachable()); };
                   api->forwarder().Bring(request, std::move(about), respond);
                 }});
}

}  // namespace bowerbird::server
