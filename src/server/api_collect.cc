#include <fmt/format.h>

#include <utility>

#include "catalog/problem.h"
#include "collect/collector.h"
#include "server/api_routes.h"

namespace bowerbird::server {
namespace {

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
         request->app->app().collector().Collect(
             request->body, source, [request, respond](absl::StatusOr<collect::CollectResult> result) {
               if (!result.ok()) return respond(ProblemResponse(result.status()));
               Api::ChargeEvents(*request, uint64_t{result->accepted} + result->rejected);
               const HostedApp::CollectMetrics& metrics = request->app->collect_metrics();
               metrics.accepted->Increment(result->accepted);
               metrics.rejected->Increment(result->rejected);
               HttpResponse response;
               collect::AppendJson(*result, &response.body);
               respond(std::move(response));
             });
       }});
}

}  // namespace bowerbird::server
