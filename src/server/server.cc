#include "server/server.h"

#include <fmt/format.h>
#include <signal.h>

#include <filesystem>
#include <utility>

#include "base/status_macros.h"
#include "server/structured_log.h"
#include "store/file.h"

namespace bowerbird::server {
namespace {

/// Whether there is anything to serve; if not, why the first app is not open.
absl::Status AnyOpen(const AppHost& apps, const std::string& dir) {
  const std::vector<AppHost::Listed> listed = apps.List();
  if (listed.empty())
    return absl::NotFoundError(fmt::format("{}: holds no app; `bowerbird import` or `bowerbird init` makes one", dir));
  if (!apps.OpenApps().empty()) return absl::OkStatus();
  return apps.WhyFailed(listed[0].name);
}

}  // namespace

absl::StatusOr<config::ServerConfig> LoadServerConfig(const std::string& dir) {
  const std::string path = dir + "/server.toml";
  if (!std::filesystem::exists(path)) return config::ServerConfig{};
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(path));
  const config::ServerParseResult parsed = config::ParseServer(text, path);
  if (parsed.config.has_value()) return *parsed.config;
  return absl::InvalidArgumentError(config::ProblemList(parsed.problems));
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options) {
  auto server = std::unique_ptr<Server>(new Server(options));
  RETURN_IF_ERROR(server->Init());
  return server;
}

absl::Status Server::Init() {
  SetLogLevel(options_.config.log_level);
  ASSIGN_OR_RETURN(keys_, Keys::Open(options_.dir + "/keys.json"));
  AppHost::Options host;
  host.dir = options_.dir;
  host.drain_us = options_.config.drain_us;
  host.on_warning = [](std::string_view app, const std::string& warning) {
    Log(LogLevel::kWarning, "app_warning", {{"app", app}, {"reason", std::string_view(warning)}});
  };
  apps_ = std::make_unique<AppHost>(std::move(host));
  apps_->OpenAll();
  if (absl::Status status = AnyOpen(*apps_, options_.dir); !status.ok()) return status;
  Api::Options api_options;
  api_options.open_on_loopback = options_.config.open_on_loopback;
  api_ = std::make_unique<Api>(apps_.get(), keys_.get(), &metrics_, api_options);
  if (options_.routes) options_.routes(*api_);
  HttpServer::Options http;
  http.listen = options_.config.listen;
  http.port = options_.config.port;
  http.socket_path = options_.dir + "/bowerbird.sock";
  http.threads = options_.config.threads;
  http.body_bytes_max = [apps = apps_.get()] { return apps->body_bytes_max(); };
  http.connections_max = options_.config.connections_max;
  http.receive_us_max = options_.config.request_us_max;
  ASSIGN_OR_RETURN(http_,
                   HttpServer::Start(http, [api = api_.get()](std::shared_ptr<HttpRequest> request, Responder respond) {
                     api->Handle(request, respond);
                   }));
  Log(LogLevel::kInfo, "serving",
      {{"address", std::string_view(options_.config.listen)},
       {"port", int64_t{http_->port()}},
       {"apps", static_cast<int64_t>(apps_->OpenApps().size())}});
  return absl::OkStatus();
}

void Server::Drain() {
  if (drained_) return;
  drained_ = true;
  if (http_ != nullptr) {
    api_->SetDraining();
    Log(LogLevel::kInfo, "draining");
    apps_->CancelJobs();
    if (!http_->Drain(options_.config.drain_us)) Log(LogLevel::kWarning, "requests_cut_off");
  }
  if (apps_ != nullptr) apps_->Stop();
  Log(LogLevel::kInfo, "stopped");
}

Server::~Server() { Drain(); }

void Server::WaitForSignal() {
  // Blocked in every thread (main blocks them before it starts any), so that only this wait receives them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int received = 0;
  sigwait(&signals, &received);
}

}  // namespace bowerbird::server
