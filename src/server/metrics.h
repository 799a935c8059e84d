#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/synchronization/mutex.h"
#include "base/string_map.h"

namespace bowerbird::server {

/// Metrics in Prometheus' form, of the process or of one app: bowerbird_<subsystem>_<name>_<unit>, `_total` on counters
/// only, no user or item labels.
///
/// Threads  any. Handles are looked up once and kept: recording costs an atomic add.
class Metrics {
 public:
  /// `labels` go on every series.
  explicit Metrics(prometheus::Labels labels = {});
  struct Route {
    prometheus::Histogram* seconds;
    prometheus::Counter* by_class[6];  ///< by status / 100
  };
  /// Handles of one route; made at the first call, the same afterwards.
  Route ForRoute(std::string_view method, std::string_view pattern);
  prometheus::Counter& Counter(const std::string& name, const std::string& help, const prometheus::Labels& labels = {});
  prometheus::Gauge& Gauge(const std::string& name, const std::string& help, const prometheus::Labels& labels = {});
  prometheus::Histogram& Seconds(const std::string& name, const std::string& help,
                                 const prometheus::Labels& labels = {});
  /// The exposition text of all of them as one document.
  static std::string Text(std::span<const Metrics* const> all);

 private:
  const prometheus::Labels labels_;
  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Histogram>* request_seconds_;
  prometheus::Family<prometheus::Counter>* requests_;
};

}  // namespace bowerbird::server
