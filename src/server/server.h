#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "app/app.h"
#include "config/config.h"
#include "server/api.h"
#include "server/app_host.h"
#include "server/http_server.h"
#include "server/keys.h"
#include "server/metrics.h"

namespace bowerbird::server {

/// One process over one folder: its apps, their API, and the HTTP server that brings requests to it, by TCP and by
/// DIR/bowerbird.sock.
///
/// Threads  Start, Drain and the destructor from one thread.
class Server {
 public:
  struct Options {
    std::string dir;
    config::ServerConfig config;
    /// Adds routes of the caller before the first request; may be empty.
    std::function<void(Api&)> routes;
  };
  /// An app that cannot be opened is logged, and the others are served. NotFound: the folder has no app. No app can be
  /// opened: why the first one cannot (Unavailable: another process owns the folder; InvalidArgument: its config, all
  /// problems). Unavailable: the address is taken.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options);
  ~Server();

  uint16_t port() const { return http_->port(); }
  AppHost& apps() { return *apps_; }
  /// The app of requests that name none, for whoever runs a Server over one app. It must be open.
  app::App& app() { return (*apps_->Find(""))->app(); }
  Api& api() { return *api_; }
  /// /readyz turns to 503, jobs are cancelled, requests in flight finish, state is flushed. Idempotent.
  void Drain();
  /// Returns after SIGTERM or SIGINT.
  static void WaitForSignal();

 private:
  explicit Server(Options options) : options_(std::move(options)) {}
  absl::Status Init();

  const Options options_;
  // Goes last: its loops stay for whoever answers a request late, after a drain that ran out of patience.
  std::unique_ptr<HttpServer> http_;
  Metrics metrics_;
  std::unique_ptr<Keys> keys_;
  std::unique_ptr<AppHost> apps_;
  std::unique_ptr<Api> api_;
  bool drained_ = false;
};

/// DIR/server.toml, or the defaults where it is absent. InvalidArgument with every problem.
absl::StatusOr<config::ServerConfig> LoadServerConfig(const std::string& dir);

}  // namespace bowerbird::server
