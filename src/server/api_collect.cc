#include <fmt/format.h>

#include <utility>

#include "catalog/problem.h"
#include "collect/collector.h"
#include "server/api_routes.h"
#include "server/body.h"

namespace bowerbird::server {
namespace {

using collect::Collector;

/// "?history=true": the events happened in the past and are not late. An import's privilege.
bool IsHistory(const HttpRequest& request) {
  const auto it = request.query.find("history");
  return it != request.query.end() && it->second == "true";
}

/// Takes the body's events in and answers with their verdicts.
void TakeEvents(Api* api, const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
  Collector::Source source = Collector::Source::kLive;
  HttpResponse problem;
  if (IsHistory(*request)) {
    if (!api->Authorize(request.get(), "admin", &problem)) return respond(std::move(problem));
    source = Collector::Source::kHistory;
  } else if (!api->Authorize(request.get(), "collect", &problem)) {
    source = Collector::Source::kPublic;
  }
  if (!api->EventsLeft(*request, &problem)) return respond(std::move(problem));
  const Responder answer = api->in_flight().Take(request->body.size(), request->app->app().log().crowded(), respond);
  if (answer == nullptr) return;
  const HostedApp::CollectMetrics& metrics = request->app->collect_metrics();
  const auto done = [&metrics, answer, request,
                     protobuf = AcceptsProtobuf(*request)](absl::StatusOr<collect::CollectResult> result) {
    if (!result.ok()) return answer(ProblemResponse(result.status()));
    Api::ChargeEvents(*request, uint64_t{result->accepted} + result->rejected);
    metrics.accepted->Increment(result->accepted);
    metrics.rejected->Increment(result->rejected);
    HttpResponse response;
    if (protobuf) {
      response.content_type = kProtobufType;
      collect::AppendProtobuf(*result, &response.body);
    } else {
      collect::AppendJson(*result, &response.body);
    }
    answer(std::move(response));
  };
  Collector& collector = request->app->app().collector();
  const std::string* agent = request->Header("user-agent");
  const Collector::Sender sender(source, agent == nullptr ? std::string_view() : *agent);
  if (HasProtobufBody(*request)) {
    collector.CollectProtobuf(request->body, sender, done);
  } else {
    collector.Collect(request->body, sender, done);
  }
}

}  // namespace

void AddCollectRoutes(Api* api) {
  const Handler handler = [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
    TakeEvents(api, request, respond);
  };
  api->AddRoute({"POST", "/v1/events", "events", handler});
  api->AddRoute({"POST", "/v1/beacon", "events", handler, KeyPlace::kQuery, /*browser=*/true});
}

}  // namespace bowerbird::server
