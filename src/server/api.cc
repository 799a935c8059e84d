#include "server/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/json_writer.h"
#include "server/api_routes.h"
#include "server/body.h"
#include "server/credentials.h"
#include "server/embedded.h"
#include "server/experiment_result_routes.h"
#include "server/structured_log.h"

namespace bowerbird::server {
namespace {

constexpr char kAppHeader[] = "bowerbird-app";

bool Unauthenticated(std::string_view detail, HttpResponse* problem) {
  *problem = ProblemResponse(401, "unauthenticated", detail);
  problem->headers.emplace_back("WWW-Authenticate", "Bearer");
  return false;
}

HttpResponse QuotaExceeded(std::string_view what, const TokenBucket& quota, int64_t wait_us) {
  HttpResponse problem = ProblemResponse(429, "quota_exceeded",
                                         fmt::format("the key may send {:g} {} a second; try again in {:.3f} s",
                                                     quota.per_second(), what, static_cast<double>(wait_us) * 1e-6));
  problem.headers.emplace_back("Retry-After", fmt::format("{}", (wait_us + 999'999) / 1'000'000));
  return problem;
}

}  // namespace

Api::Api(AppHost* apps, Keys* keys, AuditLog* audit, Metrics* metrics, const Options& options)
    : apps_(apps),
      keys_(keys),
      audit_(audit),
      metrics_(metrics),
      dir_(options.dir),
      open_on_loopback_(options.open_on_loopback),
      unrouted_metrics_(metrics->ForRoute("ANY", "none")),
      quota_refusals_(&metrics->Counter("bowerbird_quota_refusals_total",
                                        "Requests that a key's quota refused, by which one.", {{"quota", "requests"}})),
      origins_(std::make_shared<const Origins>(options.allowed_origins)),
      in_flight_(options.intake_bytes_max, metrics),
      forwarder_(metrics) {
  AddOperations();
  AddAppRoutes(this);
  AddKeyRoutes(this);
  AddCollectRoutes(this);
  AddSegmentRoutes(this);
  AddCatalogRoutes(this);
  AddServeRoutes(metrics_, this);
  AddJobRoutes(this);
  AddSignalRoutes(this);
  AddLakeRoutes(this);
  AddMcpRoutes(this);
  AddUserSegmentRoutes(this);
  AddFeatureRoutes(this);
  AddTrainingRoutes(this);
  AddForgetRoutes(this);
  AddTrafficRoutes(this);
  AddExperimentRoutes(this);
  AddOfrepRoutes(this);
  AddExperimentResultRoutes([](app::App& app, std::string_view id) { return app.experiments().Get(id); }, this);
}

Api::~Api() = default;

void Api::AddRoute(Router::Route route) {
  route_metrics_.push_back(metrics_->ForRoute(route.method, route.pattern));
  router_.Add(std::move(route));
}

bool Api::Authenticate(HttpRequest* request, HttpResponse* problem) const {
  if (request->local || request->key != nullptr) return true;
  const std::optional<std::string> secret = SecretOf(*request);
  if (!secret.has_value()) {
    if (request->loopback && open_on_loopback_) {
      // A page of anywhere can have this machine's browser send a request here, but not without naming its origin.
      return origins_.Get()->IsOwn(*request) || origins_.Get()->Check(*request, problem);
    }
    return Unauthenticated("found no Authorization header; expected 'Bearer KEY'", problem);
  }
  request->key = keys_->Find(*secret);
  if (request->key != nullptr) return true;
  return Unauthenticated("the key is unknown or revoked; expected 'Bearer KEY' with a key of `bowerbird keys create`",
                         problem);
}

bool Api::ChooseApp(HttpRequest* request, HttpResponse* problem) const {
  const std::string* header = request->Header(kAppHeader);
  std::string_view name = header == nullptr ? std::string_view() : *header;
  if (request->key != nullptr && !request->key->Allows("operator")) {
    if (header != nullptr && *header != request->key->app) {
      *problem =
          ProblemResponse(403, "permission_denied", "the key is not of the app that the header names", "Bowerbird-App");
      return false;
    }
    name = request->key->app;
  }
  absl::StatusOr<std::shared_ptr<HostedApp>> app = apps_->Find(name);
  if (!app.ok()) {
    *problem = ProblemResponse(app.status());
    return false;
  }
  request->app = *std::move(app);
  return true;
}

bool Api::ChooseForwardedApp(HttpRequest* request, HttpResponse* problem) const {
  absl::StatusOr<std::shared_ptr<HostedApp>> app = apps_->Find(request->forwarded->app);
  if (app.ok()) {
    request->app = *std::move(app);
    return true;
  }
  *problem = ProblemResponse(app.status());
  return false;
}

bool Api::Authorize(HttpRequest* request, std::string_view scope, HttpResponse* problem) const {
  if (scope.empty()) return true;
  if (!Authenticate(request, problem)) return false;
  if (request->key != nullptr && !request->key->Allows(scope)) {
    *problem = ProblemResponse(
        403, "permission_denied",
        fmt::format("this needs scope '{}'; the key has {}", scope, fmt::join(request->key->scopes, ", ")));
    return false;
  }
  if (scope == "operator" || scope == "peer" || request->app != nullptr) return true;
  if (!ChooseApp(request, problem)) return false;
  const uint64_t bytes_max = request->app->app().config()->collect.body_bytes_max;
  if (request->body.size() > bytes_max) {
    *problem = ProblemResponse(413, "body_too_large", fmt::format("the body is over {} bytes", bytes_max));
    return false;
  }
  return true;
}

bool Api::TakeRequest(const HttpRequest& request, HttpResponse* problem) const {
  if (request.key == nullptr) return true;
  TokenBucket& quota = request.key->left->requests;
  const int64_t now_us = base::MonotonicUs();
  const int64_t wait_us = quota.WaitUs(now_us);
  if (wait_us == 0) {
    quota.Take(1, now_us);
    return true;
  }
  (request.app == nullptr ? quota_refusals_ : request.app->quota_metrics().requests)->Increment();
  *problem = QuotaExceeded("requests", quota, wait_us);
  return false;
}

bool Api::EventsLeft(const HttpRequest& request, HttpResponse* problem) const {
  if (request.key == nullptr) return true;
  const TokenBucket& quota = request.key->left->events;
  const int64_t wait_us = quota.WaitUs(base::MonotonicUs());
  if (wait_us == 0) return true;
  request.app->quota_metrics().events->Increment();
  *problem = QuotaExceeded("events", quota, wait_us);
  return false;
}

void Api::ChargeEvents(const HttpRequest& request, uint64_t events) {
  if (request.key != nullptr) request.key->left->events.Take(static_cast<double>(events), base::MonotonicUs());
}

absl::Status Api::RecordAction(const HttpRequest& request, std::string action, std::string detail, int status) const {
  AuditEntry entry;
  entry.time_us = base::SystemClock::Get().NowUs();
  if (request.key != nullptr) {
    entry.who = fmt::format("{} ({})", request.key->id, request.key->name);
  } else {
    entry.who = request.local ? fmt::format("uid {}", request.peer_uid) : "loopback";
  }
  if (request.app != nullptr) entry.app = request.app->name();
  entry.action = std::move(action);
  entry.detail = std::move(detail);
  entry.status = status;
  const absl::Status written = audit_->Append(entry);
  if (!written.ok()) {
    const std::string reason(written.message());
    Log(LogLevel::kError, "audit_failed", {{"reason", std::string_view(reason)}});
  }
  return written;
}

void Api::Audit(const Router::Route& route, const HttpRequest& request, HttpResponse* response) const {
  std::string detail = request.audit_detail;
  if (detail.empty()) {
    for (const auto& [name, value] : request.path_parameters)
      fmt::format_to(std::back_inserter(detail), "{}{} {}", detail.empty() ? "" : " ", name, value);
  }
  const absl::Status written =
      RecordAction(request, fmt::format("{} {}", route.method, route.pattern), detail, response->status);
  if (written.ok()) return;
  *response = ProblemResponse(503, "not_audited",
                              fmt::format("it was done (status {}), but the audit log could not be written: {}",
                                          response->status, std::string(written.message())));
}

HttpResponse Api::ReloadServer() const {
  if (server_reload_) return server_reload_();
  return ProblemResponse(409, "failed_precondition", "no server runs here: there is nothing to reload");
}

void Api::RunJob(const Responder& respond, std::function<HttpResponse()> work) {
  if (jobs_.Add([respond, work = std::move(work)] { respond(work()); })) return;
  respond(ProblemResponse(429, "too_many_jobs",
                          fmt::format("{} jobs wait already; try again when one has ended", jobs_.waiting_max())));
}

bool Api::Admit(const Router::Route& route, bool preflight, HttpRequest* request, HttpResponse* problem) const {
  if (request->forwarded != nullptr) return ChooseForwardedApp(request, problem);
  if (preflight) {
    *problem = origins_.Get()->Preflight(*request, route);
    return false;
  }
  if (route.browser && !origins_.Get()->Check(*request, problem)) return false;
  if (auto refusal = ReadSecret(route.key_place, apps_->body_bytes_max(), request)) {
    *problem = *std::move(refusal);
    return false;
  }
  if (!Authorize(request, route.scope, problem) || !TakeRequest(*request, problem)) return false;
  const uint64_t body_bytes_max =
      request->app == nullptr ? apps_->body_bytes_max() : request->app->app().config()->collect.body_bytes_max;
  if (auto refusal = DecodeBody(body_bytes_max, request)) {
    *problem = *std::move(refusal);
    return false;
  }
  return true;
}

void Api::Handle(const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
  const int64_t start_us = base::MonotonicUs();
  std::vector<std::string> allowed;
  HttpResponse problem;
  const bool preflight = TakePreflight(request.get());
  const Router::Route* route = router_.Find(request.get(), &allowed, &problem);
  const bool admitted = route != nullptr && Admit(*route, preflight, request.get(), &problem);
  const Metrics::Route* metrics = &unrouted_metrics_;
  if (route != nullptr) {
    const auto index = static_cast<size_t>(route - router_.routes().data());
    metrics = request->app == nullptr ? &route_metrics_[index] : &request->app->RouteMetrics(router_.routes())[index];
  }
  const bool marked = route != nullptr && route->browser && !preflight;
  // Holds the request, and with it the app, until the answer is ready.
  const bool audits = admitted && route->method != "GET" && (route->scope == "admin" || route->scope == "operator");
  const auto finish = [this, route, audits, marked, metrics, start_us, respond, request](HttpResponse response) {
    if (audits) Audit(*route, *request, &response);
    if (marked) origins_.Get()->Mark(*request, &response);
    metrics->seconds->Observe(static_cast<double>(base::MonotonicUs() - start_us) * 1e-6);
    metrics->by_class[static_cast<size_t>(std::min(5, response.status / 100))]->Increment();
    respond(std::move(response));
  };
  if (!admitted) {
    finish(std::move(problem));
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
  AddRoute({"GET", "/readyz", "", [this](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
              respond(Ready(request.get()));
            }});
  AddRoute({"GET", "/metrics", "", [this](const std::shared_ptr<HttpRequest>&, const Responder& respond) {
              HttpResponse response;
              response.content_type = "text/plain; version=0.0.4";
              response.body = MetricsText();
              respond(std::move(response));
            }});
}

HttpResponse Api::Ready(HttpRequest* request) const {
  if (draining_) return ProblemResponse(503, "draining", "the server is shutting down");
  struct Row {
    std::string name, status, detail;
  };
  std::vector<Row> rows;
  size_t ready = 0;
  for (AppHost::Listed& listed : apps_->List()) {
    Row row{std::move(listed.name), std::move(listed.status), std::move(listed.detail)};
    if (row.status == "open") {
      row.status = "ready";
      if (const auto app = apps_->Find(row.name); app.ok()) {
        if (const absl::Status health = (*app)->app().Health(); !health.ok())
          row = {row.name, "not_ready", std::string(health.message())};
      }
    }
    ready += row.status == "ready" ? 1 : 0;
    rows.push_back(std::move(row));
  }
  // Names and reasons are for who may operate the process; anybody may know whether it serves.
  HttpResponse ignored;
  const bool operates = Authorize(request, "operator", &ignored);
  if (ready == 0) {
    std::string detail = fmt::format("none of {} apps is ready", rows.size());
    for (const Row& row : rows) {
      if (operates) fmt::format_to(std::back_inserter(detail), "; {}: {}", row.name, row.detail);
    }
    return ProblemResponse(503, "not_ready", detail);
  }
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("status").String(ready == rows.size() ? "ready" : "degraded");
  json.Key("apps_ready").Uint(ready).Key("apps_not_ready").Uint(rows.size() - ready);
  if (operates) {
    json.Key("apps").BeginArray();
    for (const Row& row : rows) {
      json.BeginObject().Key("name").String(row.name).Key("status").String(row.status);
      if (!row.detail.empty()) json.Key("detail").String(row.detail);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  return response;
}

std::string Api::MetricsText() {
  forwarder_.ExportGauges();
  std::vector<const Metrics*> all{metrics_};
  const std::vector<std::shared_ptr<HostedApp>> apps = apps_->OpenApps();
  for (const auto& app : apps) {
    app->ExportGauges();
    all.push_back(&app->metrics());
  }
  return Metrics::Text(all);
}

}  // namespace bowerbird::server
