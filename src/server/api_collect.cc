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

void AddCollectRoutes(Api* api) {
  api->AddRoute(
      {"POST", "/v1/events", "collect", [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         auto source = collect::Collector::Source::kLive;
         HttpResponse problem;
         if (IsHistory(*request)) {
           if (!api->Authorize(request.get(), "admin", &problem)) return respond(std::move(problem));
           source = collect::Collector::Source::kHistory;
         }
         if (!api->EventsLeft(*request, &problem)) return respond(std::move(problem));
         const bool protobuf_answer = AcceptsProtobuf(*request);
         const auto done = [request, respond, protobuf_answer](absl::StatusOr<collect::CollectResult> result) {
           if (!result.ok()) return respond(ProblemResponse(result.status()));
           Api::ChargeEvents(*request, uint64_t{result->accepted} + result->rejected);
           const HostedApp::CollectMetrics& metrics = request->app->collect_metrics();
           metrics.accepted->Increment(result->accepted);
           metrics.rejected->Increment(result->rejected);
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
           request->app->app().collector().CollectProtobuf(request->body, source, done);
         } else {
           request->app->app().collector().Collect(request->body, source, done);
         }
       }});
}

}  // namespace bowerbird::server
