#include "server/hosted_app.h"

#include <utility>

namespace bowerbird::server {
namespace {

HostedApp::CollectMetrics MakeCollectMetrics(Metrics* metrics) {
  const auto verdict = [&](const char* name) {
    return &metrics->Counter("bowerbird_collect_events_total", "Events by what became of them.", {{"verdict", name}});
  };
  const auto segment = [&](const char* name) {
    return &metrics->Counter("bowerbird_segment_messages_total",
                             "Messages of Segment's clients by what became of them.", {{"verdict", name}});
  };
  return {verdict("accepted"), verdict("rejected"), {segment("accepted"), segment("ignored"), segment("rejected")}};
}

HostedApp::ServeMetrics MakeServeMetrics(Metrics* metrics) {
  const auto stage = [&](const char* name) {
    return &metrics->Seconds("bowerbird_serve_stage_duration_seconds", "Time of an answer by stage.",
                             {{"stage", name}});
  };
  return {stage("check"), stage("retrieve"), stage("rank"), stage("blend"), stage("answer")};
}

HostedApp::QuotaMetrics MakeQuotaMetrics(Metrics* metrics) {
  const auto quota = [&](const char* name) {
    return &metrics->Counter("bowerbird_quota_refusals_total", "Requests that a key's quota refused, by which one.",
                             {{"quota", name}});
  };
  return {quota("requests"), quota("events")};
}

}  // namespace

HostedApp::HostedApp(std::string name, std::unique_ptr<app::App> app)
    : name_(std::move(name)),
      app_(std::move(app)),
      metrics_({{"app", name_}}),
      collect_metrics_(MakeCollectMetrics(&metrics_)),
      serve_metrics_(MakeServeMetrics(&metrics_)),
      quota_metrics_(MakeQuotaMetrics(&metrics_)) {}

const std::vector<Metrics::Route>& HostedApp::RouteMetrics(const std::vector<Router::Route>& routes) {
  std::call_once(routes_once_, [&] {
    route_metrics_.reserve(routes.size());
    for (const Router::Route& route : routes) route_metrics_.push_back(metrics_.ForRoute(route.method, route.pattern));
  });
  return route_metrics_;
}

void HostedApp::ExportGauges() {
  for (const app::Gauge& gauge : app_->Gauges()) {
    metrics_.Gauge(gauge.name, gauge.help, {gauge.labels.begin(), gauge.labels.end()}).Set(gauge.value);
  }
}

}  // namespace bowerbird::server
