#include "server/api.h"

#include <fmt/format.h>

#include <utility>

#include "base/clock.h"
#include "base/json_writer.h"
#include "server/api_routes.h"
#include "server/body.h"
#include "server/embedded.h"
#include "server/structured_log.h"

namespace bowerbird::server {

Api::Api(app::App* app, Keys* keys, Metrics* metrics, const Options& options)
    : app_(app),
      keys_(keys),
      metrics_(metrics),
      options_(options),
      unrouted_metrics_(metrics->ForRoute("ANY", "none")) {
  AddOperations();
  AddCollectRoutes(app_, metrics_, this);
  AddCatalogRoutes(app_, this);
  AddServeRoutes(app_, metrics_, this);
  AddJobRoutes(app_, this);
}

Api::~Api() = default;

void Api::AddRoute(Router::Route route) {
  route_metrics_.push_back(metrics_->ForRoute(route.method, route.pattern));
  router_.Add(std::move(route));
}

bool Api::Authorize(const HttpRequest& request, std::string_view scope, HttpResponse* problem) const {
  if (scope.empty() || request.local) return true;
  const std::string* header = request.Header("authorization");
  if (header == nullptr) {
    if (request.loopback && options_.open_on_loopback) return true;
    *problem = ProblemResponse(401, "unauthenticated", "found no Authorization header; expected 'Bearer KEY'");
    problem->headers.emplace_back("WWW-Authenticate", "Bearer");
    return false;
  }
  constexpr std::string_view kBearer = "Bearer ";
  const std::shared_ptr<const ApiKey> key =
      header->starts_with(kBearer) ? keys_->Find(std::string_view(*header).substr(kBearer.size())) : nullptr;
  if (key == nullptr) {
    *problem =
        ProblemResponse(401, "unauthenticated",
                        "the key is unknown or revoked; expected 'Bearer KEY' with a key of `bowerbird key create`");
    problem->headers.emplace_back("WWW-Authenticate", "Bearer");
    return false;
  }
  if (!key->Allows(scope)) {
    *problem =
        ProblemResponse(403, "permission_denied",
                        fmt::format("this needs scope '{}'; the key has {}", scope, fmt::join(key->scopes, ", ")));
    return false;
  }
  return true;
}

void Api::Handle(const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
  const int64_t start_us = base::MonotonicUs();
  std::vector<std::string> allowed;
  HttpResponse problem;
  const Router::Route* route = router_.Find(request.get(), &allowed, &problem);
  const Metrics::Route& metrics =
      route == nullptr ? unrouted_metrics_ : route_metrics_[static_cast<size_t>(route - router_.routes().data())];
  const auto finish = [&metrics, start_us, respond](HttpResponse response) {
    metrics.seconds->Observe(static_cast<double>(base::MonotonicUs() - start_us) * 1e-6);
    metrics.by_class[static_cast<size_t>(std::min(5, response.status / 100))]->Increment();
    respond(std::move(response));
  };
  if (route == nullptr) {
    finish(std::move(problem));
    return;
  }
  if (!Authorize(*request, route->scope, &problem)) {
    finish(std::move(problem));
    return;
  }
  if (auto refusal = DecodeBody(app_->config()->collect.body_bytes_max, request.get())) {
    finish(*std::move(refusal));
    return;
  }
  route->handler(request, finish);
}

void Api::AddOperations() {
  const auto text = [](std::string_view body, std::string_view type) {
    return [body, type](const std::shared_ptr<HttpRequest>&, const Responder& respond) {
      HttpResponse response;
      response.content_type = type;
      response.body = body;
      respond(std::move(response));
    };
  };
  AddRoute({"GET", "/healthz", "", text("{\"status\":\"ok\"}", "application/json")});
  AddRoute({"GET", "/openapi.json", "", text(OpenApiText(), "application/json")});
  AddRoute({"GET", "/readyz", "", [this](const std::shared_ptr<HttpRequest>&, const Responder& respond) {
              const absl::Status health = app_->Health();
              if (draining_) return respond(ProblemResponse(503, "draining", "the server is shutting down"));
              if (!health.ok()) return respond(ProblemResponse(503, "not_ready", std::string(health.message())));
              HttpResponse response;
              response.body = "{\"status\":\"ready\"}";
              respond(std::move(response));
            }});
  AddRoute({"GET", "/metrics", "", [this](const std::shared_ptr<HttpRequest>&, const Responder& respond) {
              ExportAppMetrics();
              HttpResponse response;
              response.content_type = "text/plain; version=0.0.4";
              response.body = metrics_->Text();
              respond(std::move(response));
            }});
}

void Api::ExportAppMetrics() {
  for (const app::Gauge& gauge : app_->Gauges()) {
    metrics_->Gauge(gauge.name, gauge.help).Set(gauge.value);
  }
}

}  // namespace bowerbird::server
