#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/published.h"
#include "server/app_host.h"
#include "server/audit.h"
#include "server/forward.h"
#include "server/http.h"
#include "server/in_flight.h"
#include "server/job_queue.h"
#include "server/keys.h"
#include "server/metrics.h"
#include "server/origins.h"

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
    bool open_on_loopback = true;                    ///< a loopback client without a key has every scope
    std::string dir;                                 ///< the folder of the apps: what a backup is of
    std::vector<std::string> allowed_origins;        ///< of web pages that may call the routes for browsers
    uint64_t intake_bytes_max = uint64_t{32} << 20;  ///< bodies of events that wait for the log
  };
  /// All of them outlive the Api. `audit` is told of every change by an admin or operator. `metrics` are the process's:
  /// what is about no app.
  Api(AppHost* apps, Keys* keys, AuditLog* audit, Metrics* metrics, const Options& options);
  ~Api();
  void AddRoute(Router::Route route);
  void Handle(const std::shared_ptr<HttpRequest>& request, const Responder& respond);
  void SetOpenOnLoopback(bool open) { open_on_loopback_ = open; }
  void SetAllowedOrigins(std::vector<std::string> origins) {
    origins_.Set(std::make_shared<const Origins>(std::move(origins)));
  }
  /// What `POST /v1/server:reload` does; 409 without it.
  void SetServerReload(std::function<HttpResponse()> reload) { server_reload_ = std::move(reload); }
  HttpResponse ReloadServer() const;
  /// /readyz answers 503 from now on.
  void SetDraining() { draining_ = true; }
  /// Answers with what `work` returns, on a thread of its own: for what takes seconds or writes files and is about no
  /// single app. 429 when too much waits already.
  void RunJob(const Responder& respond, std::function<HttpResponse()> work);
  AppHost& apps() { return *apps_; }
  const std::string& dir() const { return dir_; }
  Keys& keys() { return *keys_; }
  Metrics& metrics() { return *metrics_; }
  /// What handlers of events ask before they take a body in.
  InFlight& in_flight() { return in_flight_; }
  /// What handlers of requests about a user go through.
  Forwarder& forwarder() { return forwarder_; }
  const std::vector<Router::Route>& routes() const { return router_.routes(); }

  /// Finds out whose request it is, whether that allows `scope`, and which app it is about; sets request->key and
  /// ->app. False: `problem` is what to answer.
  bool Authorize(HttpRequest* request, std::string_view scope, HttpResponse* problem) const;
  /// Takes one request of the key's quota; false: there is none, and `problem` is what to answer.
  bool TakeRequest(const HttpRequest& request, HttpResponse* problem) const;
  /// Whether the key's quota of events has anything left; if not, `problem` is what to answer. Before a body of events
  /// is taken in; how many there were is known, and charged, after.
  bool EventsLeft(const HttpRequest& request, HttpResponse* problem) const;
  static void ChargeEvents(const HttpRequest& request, uint64_t events);
  /// Writes to the audit log that whoever sent `request` did `action`. Unavailable: it could not be written.
  absl::Status RecordAction(const HttpRequest& request, std::string action, std::string detail, int status) const;

 private:
  bool Authenticate(HttpRequest* request, HttpResponse* problem) const;
  bool ChooseApp(HttpRequest* request, HttpResponse* problem) const;
  bool ChooseForwardedApp(HttpRequest* request, HttpResponse* problem) const;
  /// Records what was done, before the answer says so.
  void Audit(const Router::Route& route, const HttpRequest& request, HttpResponse* response) const;
  /// All that is asked of a request before its handler: from where it comes, whose it is, what its quota leaves, that
  /// its body is plain and within bounds. False: `problem` is the answer.
  bool Admit(const Router::Route& route, bool preflight, HttpRequest* request, HttpResponse* problem) const;
  void AddOperations();
  HttpResponse Ready(HttpRequest* request) const;
  std::string MetricsText();

  AppHost* const apps_;
  Keys* const keys_;
  AuditLog* const audit_;
  Metrics* const metrics_;
  const std::string dir_;
  std::atomic<bool> open_on_loopback_;
  std::function<HttpResponse()> server_reload_;
  Router router_;
  /// Of requests about no app: open routes, operators' routes, and those that no key or app was found for.
  std::vector<Metrics::Route> route_metrics_;
  Metrics::Route unrouted_metrics_;
  prometheus::Counter* const quota_refusals_;  ///< of requests about no app
  base::Published<Origins> origins_;
  InFlight in_flight_;
  Forwarder forwarder_;
  std::atomic<bool> draining_ = false;
  JobQueue jobs_{/*waiting_max=*/16};  ///< ends first: a job uses all of the above
};

}  // namespace bowerbird::server
