#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/app.h"
#include "server/http.h"
#include "server/job_queue.h"
#include "server/metrics.h"

namespace bowerbird::server {

/// One app as a server serves it: the App, and what is counted and queued for it alone.
///
/// Threads  every member from any thread.
class HostedApp {
 public:
  struct CollectMetrics {
    prometheus::Counter *accepted, *rejected;
    prometheus::Counter* segment[3];  ///< messages of Segment's clients, by collect::SegmentMessage::Outcome
  };
  /// Where an answer's time goes, one histogram a stage.
  struct ServeMetrics {
    prometheus::Histogram *check, *retrieve, *rank, *blend, *answer;
  };

  /// Requests that a key's quota refused.
  struct QuotaMetrics {
    prometheus::Counter *requests, *events;
  };

  HostedApp(std::string name, std::unique_ptr<app::App> app);

  const std::string& name() const { return name_; }
  app::App& app() { return *app_; }
  const app::App& app() const { return *app_; }
  /// Every series carries the label app="NAME".
  Metrics& metrics() { return metrics_; }
  const CollectMetrics& collect_metrics() const { return collect_metrics_; }
  const ServeMetrics& serve_metrics() const { return serve_metrics_; }
  const QuotaMetrics& quota_metrics() const { return quota_metrics_; }
  /// One entry a route, in the order of `routes`, which is the same at every call.
  const std::vector<Metrics::Route>& RouteMetrics(const std::vector<Router::Route>& routes);
  /// Sets the gauges that the App computes when asked.
  void ExportGauges();
  /// Where handlers run what takes seconds or more: one app's jobs do not wait for another's.
  JobQueue& jobs() { return jobs_; }
  /// Where handlers ask the lake, one question after another.
  JobQueue& queries() { return queries_; }
  /// Where handlers write items and users, each with an fsync, so that those who serve do not wait for a slow disk.
  JobQueue& writes() { return writes_; }

 private:
  const std::string name_;
  const std::unique_ptr<app::App> app_;
  Metrics metrics_;
  const CollectMetrics collect_metrics_;
  const ServeMetrics serve_metrics_;
  const QuotaMetrics quota_metrics_;
  std::once_flag routes_once_;
  std::vector<Metrics::Route> route_metrics_;
  // End first: what they run uses all of the above.
  JobQueue writes_{/*waiting_max=*/1024};
  JobQueue jobs_{/*waiting_max=*/16};
  JobQueue queries_{/*waiting_max=*/16};
};

}  // namespace bowerbird::server
