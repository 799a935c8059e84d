#include "server/metrics.h"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/string_map.h"

namespace bowerbird::server {
namespace {

// From 100 microseconds to 10 seconds: an answer's budget is 25 ms, an import batch may take a second.
const prometheus::Histogram::BucketBoundaries kSeconds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                       0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};

}  // namespace

Metrics::Metrics(prometheus::Labels labels)
    : labels_(std::move(labels)), registry_(std::make_shared<prometheus::Registry>()) {
  request_seconds_ = &prometheus::BuildHistogram()
                          .Name("bowerbird_http_request_duration_seconds")
                          .Help("From the request read whole to its answer ready, by route.")
                          .Labels(labels_)
                          .Register(*registry_);
  requests_ = &prometheus::BuildCounter()
                   .Name("bowerbird_http_requests_total")
                   .Help("Requests answered, by route and status class.")
                   .Labels(labels_)
                   .Register(*registry_);
}

Metrics::Route Metrics::ForRoute(std::string_view method, std::string_view pattern) {
  const std::string route = fmt::format("{} {}", method, pattern);
  Route handles{};
  handles.seconds = &request_seconds_->Add({{"route", route}}, kSeconds);
  for (int i = 1; i < 6; ++i)
    handles.by_class[i] = &requests_->Add({{"route", route}, {"status", fmt::format("{}xx", i)}});
  handles.by_class[0] = handles.by_class[5];
  return handles;
}

prometheus::Counter& Metrics::Counter(const std::string& name, const std::string& help,
                                      const prometheus::Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Labels(labels_).Register(*registry_).Add(labels);
}

prometheus::Gauge& Metrics::Gauge(const std::string& name, const std::string& help, const prometheus::Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Labels(labels_).Register(*registry_).Add(labels);
}

prometheus::Histogram& Metrics::Seconds(const std::string& name, const std::string& help,
                                        const prometheus::Labels& labels) {
  return prometheus::BuildHistogram().Name(name).Help(help).Labels(labels_).Register(*registry_).Add(labels, kSeconds);
}

std::string Metrics::Text(std::span<const Metrics* const> all) {
  // A family appears once in the text, with the series of every registry below it.
  std::vector<prometheus::MetricFamily> families;
  base::StringMap<size_t> index_of;
  for (const Metrics* metrics : all) {
    for (prometheus::MetricFamily& family : metrics->registry_->Collect()) {
      const auto [it, is_new] = index_of.try_emplace(family.name, families.size());
      if (is_new) {
        families.push_back(std::move(family));
      } else {
        auto& known = families[it->second].metric;
        std::ranges::move(family.metric, std::back_inserter(known));
      }
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace bowerbird::server
