#pragma once

#include <signal.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "app/app.h"
#include "config/cluster.h"
#include "config/config.h"
#include "config/tls_files.h"
#include "peer/peers.h"
#include "server/api.h"
#include "server/app_host.h"
#include "server/audit.h"
#include "server/grpc_server.h"
#include "server/http_server.h"
#include "server/item_exchange.h"
#include "server/keys.h"
#include "server/metrics.h"
#include "server/tls.h"

namespace bowerbird::server {

/// One process over one folder: its apps, their API, and the HTTP server that brings requests to it, by TCP and by
/// DIR/bowerbird.sock; beside it gRPC, where the config says so.
///
/// Threads  Start, Drain and the destructor from one thread.
class Server {
 public:
  struct Options {
    std::string dir;
    config::ServerConfig config;
    /// server.toml as it was read, where `config` differs from it; what a reload is compared with.
    std::optional<config::ServerConfig> file_config;
    /// Adds routes of the caller before the first request; may be empty.
    std::function<void(Api&)> routes;
  };
  /// An app that cannot be opened is logged, and the others are served. NotFound: the folder has no app. No app can be
  /// opened: why the first one cannot (Unavailable: another process owns the folder; InvalidArgument: its config, all
  /// problems). Unavailable: the address is taken.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options);
  ~Server();

  uint16_t port() const { return http_->port(); }
  /// 0: there is no gRPC.
  uint16_t grpc_port() const { return grpc_ == nullptr ? 0 : grpc_->port(); }
  const app::Node& node() const { return node_; }
  AppHost& apps() { return *apps_; }
  /// The app of requests that name none, for whoever runs a Server over one app. It must be open.
  app::App& app() { return (*apps_->Find(""))->app(); }
  Api& api() { return *api_; }
  /// /readyz turns to 503, jobs are cancelled, requests in flight finish, state is flushed. Idempotent.
  void Drain();
  /// What a reload made of one file.
  struct Reloaded {
    std::string file;  ///< "server.toml", "apps/NAME/bowerbird.toml"
    absl::StatusOr<bool> changed;
  };
  /// Reads server.toml and the config of every app again and puts each into force, or leaves what is in force for it:
  /// one that is refused holds up no other. Opens apps that could not be opened before. Any thread.
  std::vector<Reloaded> Reload();
  /// Returns the one that came. They must be blocked in every thread.
  static int WaitForSignal(std::initializer_list<int> signals = {SIGTERM, SIGINT});

 private:
  explicit Server(Options options)
      : options_(std::move(options)), file_config_(options_.file_config.value_or(options_.config)) {}
  absl::Status Init();
  /// Full paths of the files that server.toml names; empty: it names none.
  absl::StatusOr<config::TlsFiles> FindTls() const;
  /// Null: server.toml names no certificate.
  absl::StatusOr<std::shared_ptr<const TlsCredentials>> LoadTls() const;
  /// Meets the other nodes of the cluster.
  absl::Status StartPeers();
  absl::Status Fits(uint32_t node, const v1::PingResponse& said) const;
  absl::StatusOr<bool> ReloadServerConfig() ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mutex_);

  const Options options_;
  // Goes last: its loops stay for whoever answers a request late, after a drain that ran out of patience.
  std::unique_ptr<HttpServer> http_;
  Metrics metrics_;
  std::unique_ptr<Keys> keys_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<AppHost> apps_;
  app::Node node_;
  config::Cluster cluster_;
  std::unique_ptr<peer::Peers> peers_;
  std::unique_ptr<ItemExchange> item_exchange_;
  std::unique_ptr<Api> api_;
  absl::Mutex reload_mutex_;
  config::ServerConfig file_config_ ABSL_GUARDED_BY(reload_mutex_);
  bool has_tls_ = false;  ///< since the start
  std::atomic<int64_t> drain_us_ = 0;
  std::unique_ptr<GrpcServer> grpc_;
  bool drained_ = false;
};

/// DIR/server.toml, or the defaults where it is absent. InvalidArgument with every problem.
absl::StatusOr<config::ServerConfig> LoadServerConfig(const std::string& dir);

}  // namespace bowerbird::server
