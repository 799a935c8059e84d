#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/clock.h"
#include "base/json_writer.h"
#include "catalog/problem.h"
#include "collect/catalog_intake.h"
#include "collect/item_json.h"
#include "server/api_routes.h"
#include "server/forward.h"

namespace bowerbird::server {
namespace {

HttpResponse ItemResponse(const absl::StatusOr<v1::Item>& item) {
  if (!item.ok()) return ProblemResponse(item.status());
  HttpResponse response;
  base::JsonWriter json(&response.body);
  collect::WriteItem(*item, &json);
  return response;
}

HttpResponse EmptyResponse(const absl::Status& status) {
  if (!status.ok()) return ProblemResponse(status);
  HttpResponse response;
  response.body = "{}";
  return response;
}

HttpResponse BatchResponse(const absl::StatusOr<v1::BatchItemsResponse>& result) {
  if (!result.ok()) return ProblemResponse(result.status());
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("applied").Uint(result->applied()).Key("withdrawn").Uint(result->withdrawn());
  json.Key("rejected").BeginArray();
  for (const v1::ItemVerdict& verdict : result->rejected()) {
    json.BeginObject().Key("id").String(verdict.id()).Key("code").String(verdict.code());
    json.Key("field").String(verdict.field()).Key("detail").String(verdict.detail()).EndObject();
  }
  json.EndArray().EndObject();
  return response;
}

app::App& AppOf(const HttpRequest& request) { return request.app->app(); }

/// Wraps a function of the request that answers at once.
template <typename F>
Handler Direct(F function) {
  return [function](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
    respond(function(*request));
  };
}

/// The node through which items are changed, so that two changes of one item are laid over each other.
constexpr uint32_t kItemWriter = 0;
/// How long the answer to a change that another node made waits until it is in effect here, too.
constexpr int64_t kSettleUs = 500'000, kLookAgainUs = 20'000;

void AwaitCatalog(app::App& app, uint64_t offset) {
  const int64_t until_us = base::MonotonicUs() + kSettleUs;
  while (app.catalog().applied_offset() < offset && base::MonotonicUs() < until_us) {
    const log::Offset seen = app.catalog().applied_offset();
    app.log().WaitForAppend(log::Topic::kCatalog, {&seen, 1}, kLookAgainUs);
    // What goes wrong is told by whoever follows the catalog.
    app.catalog_intake().CatchUp().IgnoreError();
  }
}

/// Wraps a handler that changes items: on a node of several it is the writer's that runs, and while that one is away
/// this node's.
Handler ByItemWriter(Api* api, Handler handler) {
  return [api, handler = std::move(handler)](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
    if (api->forwarder().alone()) return handler(request, respond);
    Forwarder::Asked asked;
    asked.answer = [handler, request, respond](const std::string&) { handler(request, respond); };
    asked.without_owner = [handler, request, respond] { handler(request, respond); };
    asked.settle = [request](uint64_t offset, const std::function<void()>& done) {
      HostedApp* hosted = request->app.get();
      const bool waits = hosted->writes().Add([hosted, offset, done] {
        AwaitCatalog(hosted->app(), offset);
        done();
      });
      if (!waits) done();
    };
    api->forwarder().BringTo(kItemWriter, request, std::move(asked), respond);
  };
}

/// Wraps a function of the request that writes to the catalog's log.
template <typename F>
Handler Written(Api* api, F function) {
  return [api, function](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
    // A crowded log is no reason to refuse: this waits for its turn where nobody else does.
    const Responder answer = api->in_flight().Take(request->body.size(), /*log_crowded=*/false, respond);
    if (answer == nullptr) return;
    QueueWrite(request->app.get(), answer, [request, function, answer] { answer(function(*request)); });
  };
}

}  // namespace

void QueueWrite(HostedApp* hosted, const Responder& respond, std::function<void()> write) {
  if (hosted->writes().Add(std::move(write))) return;
  HttpResponse refused = ProblemResponse(
      429, "intake_full",
      fmt::format("{} writes wait already: send this again after a second", hosted->writes().waiting_max()));
  refused.headers.emplace_back("Retry-After", "1");
  respond(std::move(refused));
}

void AddCatalogRoutes(Api* api) {
  const auto id = [](const HttpRequest& request) -> const std::string& {
    return request.path_parameters.find("id")->second;
  };
  api->AddRoute({"PUT", "/v1/items/{id}", "collect",
                 ByItemWriter(api, Written(api, [=](const HttpRequest& request) {
                                auto item = collect::ParseItem(request.body, id(request), collect::ItemUse::kWhole,
                                                               *AppOf(request).config());
                                return ItemResponse(item.ok() ? AppOf(request).catalog_intake().Put(*std::move(item))
                                                              : item);
                              }))});
  api->AddRoute({"PATCH", "/v1/items/{id}", "collect",
                 ByItemWriter(api, Written(api, [=](const HttpRequest& request) {
                                const auto patch = collect::ParseItem(
                                    request.body, id(request), collect::ItemUse::kPatch, *AppOf(request).config());
                                return ItemResponse(patch.ok() ? AppOf(request).catalog_intake().Patch(*patch) : patch);
                              }))});
  api->AddRoute({"GET", "/v1/items/{id}", "serve", Direct([=](const HttpRequest& request) {
                   return ItemResponse(AppOf(request).catalog().Get(id(request)));
                 })});
  api->AddRoute({"DELETE", "/v1/items/{id}", "collect",
                 ByItemWriter(api, Written(api, [=](const HttpRequest& request) {
                                return EmptyResponse(AppOf(request).catalog_intake().Delete(id(request)));
                              }))});
  api->AddRoute({"POST", "/v1/items/{id}:withdraw", "collect",
                 ByItemWriter(api, Written(api, [=](const HttpRequest& request) {
                                return ItemResponse(AppOf(request).catalog_intake().Withdraw(id(request)));
                              }))});
  api->AddRoute({"POST", "/v1/items:batch", "collect",
                 ByItemWriter(api, Written(api, [=](const HttpRequest& request) {
                                const auto batch = collect::ParseItemsBatch(request.body, *AppOf(request).config());
                                return batch.ok() ? BatchResponse(AppOf(request).catalog_intake().Batch(*batch))
                                                  : ProblemResponse(batch.status());
                              }))});
  api->AddRoute({"PUT", "/v1/users/{id}", "collect", Written(api, [=](const HttpRequest& request) {
                   auto user = collect::ParseUser(request.body, id(request), *AppOf(request).config());
                   if (user.ok()) user = AppOf(request).catalog_intake().PutUser(*std::move(user));
                   if (!user.ok()) return ProblemResponse(user.status());
                   HttpResponse response;
                   base::JsonWriter json(&response.body);
                   collect::WriteUser(*user, &json);
                   return response;
                 })});
}

}  // namespace bowerbird::server
