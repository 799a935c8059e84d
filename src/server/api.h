#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "server/app_host.h"
#include "server/http.h"
#include "server/job_queue.h"
#include "server/keys.h"
#include "server/metrics.h"

namespace bowerbird::server {

/// The HTTP API over the apps of a folder: whose request it is and which app it is about, routing, metrics, and one
/// handler an endpoint. It does not listen: HttpServer brings requests to Handle, and the command line calls it
/// in-process when no server owns the folder.
///
/// A key opens the app it was made for. An operator's key, and a client of this machine that needs none, opens every
/// app: the header Bowerbird-App names one, and without it the request is about the app "default".
///
/// Threads  Handle from any thread; AddRoute before the first request.
class Api {
 public:
  struct Options {
    bool open_on_loopback = true;  ///< a loopback client without a key has every scope
  };
  /// All three outlive the Api. `metrics` are the process's: what is about no app.
  Api(AppHost* apps, Keys* keys, Metrics* metrics, const Options& options);
  ~Api();
  void AddRoute(Router::Route route);
  void Handle(const std::shared_ptr<HttpRequest>& request, const Responder& respond);
  /// /readyz answers 503 from now on.
  void SetDraining() { draining_ = true; }
  /// Where handlers run what takes seconds or more and is about no single app.
  JobQueue& jobs() { return jobs_; }
  AppHost& apps() { return *apps_; }
  Keys& keys() { return *keys_; }
  const std::vector<Router::Route>& routes() const { return router_.routes(); }

  /// Finds out whose request it is, whether that allows `scope`, and which app it is about; sets request->key and
  /// ->app. False: `problem` is what to answer.
  bool Authorize(HttpRequest* request, std::string_view scope, HttpResponse* problem) const;

 private:
  bool Authenticate(HttpRequest* request, HttpResponse* problem) const;
  bool ChooseApp(HttpRequest* request, HttpResponse* problem) const;
  void AddOperations();
  HttpResponse Ready(HttpRequest* request) const;
  std::string MetricsText() const;

  AppHost* const apps_;
  Keys* const keys_;
  Metrics* const metrics_;
  const Options options_;
  Router router_;
  /// Of requests about no app: open routes, operators' routes, and those that no key or app was found for.
  std::vector<Metrics::Route> route_metrics_;
  Metrics::Route unrouted_metrics_;
  std::atomic<bool> draining_ = false;
  JobQueue jobs_;  ///< ends first: a job uses all of the above
};

}  // namespace bowerbird::server
