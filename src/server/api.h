#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "app/app.h"
#include "server/http.h"
#include "server/job_queue.h"
#include "server/keys.h"
#include "server/metrics.h"

namespace bowerbird::server {

/// The HTTP API over one App: authentication, routing, metrics, and one handler an endpoint. It does not listen:
/// HttpServer brings requests to Handle, and the command line calls it in-process when no server owns the folder.
///
/// Threads  Handle from any thread; AddRoute before the first request.
class Api {
 public:
  struct Options {
    bool open_on_loopback = true;  ///< a loopback client without a key has every scope
  };
  /// All three outlive the Api.
  Api(app::App* app, Keys* keys, Metrics* metrics, const Options& options);
  ~Api();
  void AddRoute(Router::Route route);
  void Handle(const std::shared_ptr<HttpRequest>& request, const Responder& respond);
  /// /readyz answers 503 from now on.
  void SetDraining() { draining_ = true; }
  /// Where handlers run what takes seconds or more.
  JobQueue& jobs() { return jobs_; }
  const std::vector<Router::Route>& routes() const { return router_.routes(); }

  /// Whether the request may use `scope`; if not, `problem` is what to answer.
  bool Authorize(const HttpRequest& request, std::string_view scope, HttpResponse* problem) const;

 private:
  void AddOperations();
  void ExportAppMetrics();

  app::App* const app_;
  Keys* const keys_;
  Metrics* const metrics_;
  const Options options_;
  Router router_;
  std::vector<Metrics::Route> route_metrics_;
  Metrics::Route unrouted_metrics_;
  std::atomic<bool> draining_ = false;
  JobQueue jobs_;  ///< ends first: a job uses all of the above
};

}  // namespace bowerbird::server
