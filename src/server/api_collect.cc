#include <fmt/format.h>

#include <utility>

#include "catalog/problem.h"
#include "collect/collector.h"
#include "server/api_routes.h"
#include "server/body.h"

namespace bowerbird::server {
namespace {

constexpr char kProtobufType[] = "application/x-protobuf";

/// "?history=true": the events happened in the past and are not late. An import's privilege.
bool IsHistory(const HttpRequest& request) {
  const auto it = request.query.find("history");
  return it != request.query.end() && it->second == "true";
}

}  // namespace

void AddCollectRoutes(app::App* app, Metrics* metrics, Api* api) {
  auto* accepted =
      &metrics->Counter("bowerbird_collect_events_total", "Events by what became of them.", {{"verdict", "accepted"}});
  auto* rejected =
      &metrics->Counter("bowerbird_collect_events_total", "Events by what became of them.", {{"verdict", "rejected"}});
  api->AddRoute({"POST", "/v1/events", "collect",
                 [app, api, accepted, rejected](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   auto source = collect::Collector::Source::kLive;
                   if (IsHistory(*request)) {
                     HttpResponse problem;
                     if (!api->Authorize(*request, "admin", &problem)) return respond(std::move(problem));
                     source = collect::Collector::Source::kHistory;
                   }
                   const bool protobuf_answer = AcceptsProtobuf(*request);
                   const auto done = [accepted, rejected, respond,
                                      protobuf_answer](absl::StatusOr<collect::CollectResult> result) {
                     if (!result.ok()) return respond(ProblemResponse(result.status()));
                     accepted->Increment(result->accepted);
                     rejected->Increment(result->rejected);
                     HttpResponse response;
                     if (protobuf_answer) {
                       response.content_type = kProtobufType;
                       collect::AppendProtobuf(*result, &response.body);
                     } else {
                       collect::AppendJson(*result, &response.body);
                     }
                     respond(std::move(response));
                   };
                   if (HasProtobufBody(*request)) {
                     app->collector().CollectProtobuf(request->body, source, done);
                   } else {
                     app->collector().Collect(request->body, source, done);
                   }
                 }});
}

}  // namespace bowerbird::server
