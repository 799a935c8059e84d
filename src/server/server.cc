#include "server/server.h"

#include <fmt/format.h>
#include <signal.h>

#include <filesystem>
#include <utility>

#include "base/status_macros.h"
#include "server/structured_log.h"
#include "store/file.h"

namespace bowerbird::server {

absl::StatusOr<config::ServerConfig> LoadServerConfig(const std::string& dir) {
  const std::string path = dir + "/server.toml";
  if (!std::filesystem::exists(path)) return config::ServerConfig{};
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(path));
  const config::ServerParseResult parsed = config::ParseServer(text, path);
  if (parsed.config.has_value()) return *parsed.config;
  std::string message;
  for (const config::Problem& problem : parsed.problems) message += (message.empty() ? "" : "\n") + problem.ToString();
  return absl::InvalidArgumentError(message);
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options) {
  auto server = std::unique_ptr<Server>(new Server(options));
  RETURN_IF_ERROR(server->Init());
  return server;
}

absl::Status Server::Init() {
  SetLogLevel(options_.config.log_level);
  ASSIGN_OR_RETURN(keys_, Keys::Open(options_.dir + "/keys.json"));
  app::App::Options app_options;
  app_options.dir = options_.dir;
  app_options.name = options_.app;
  app_options.on_warning = [](const std::string& warning) {
    Log(LogLevel::kWarning, "app_warning", {{"reason", std::string_view(warning)}});
  };
  ASSIGN_OR_RETURN(app_, app::App::Open(app_options));
  Api::Options api_options;
  api_options.open_on_loopback = options_.config.open_on_loopback;
  api_ = std::make_unique<Api>(app_.get(), keys_.get(), &metrics_, api_options);
  if (options_.routes) options_.routes(*api_);
  HttpServer::Options http;
  http.listen = options_.config.listen;
  http.port = options_.config.port;
  http.socket_path = options_.dir + "/bowerbird.sock";
  http.threads = options_.config.threads;
  http.body_bytes_max = app_->config()->collect.body_bytes_max;
  http.connections_max = options_.config.connections_max;
  http.receive_us_max = options_.config.request_us_max;
  ASSIGN_OR_RETURN(http_,
                   HttpServer::Start(http, [api = api_.get()](std::shared_ptr<HttpRequest> request, Responder respond) {
                     api->Handle(request, respond);
                   }));
  app_->StartPipeline();
  Log(LogLevel::kInfo, "serving",
      {{"address", std::string_view(options_.config.listen)},
       {"port", int64_t{http_->port()}},
       {"app", std::string_view(options_.app)},
       {"config_version", std::string_view(app_->config()->version)}});
  return absl::OkStatus();
}

void Server::Drain() {
  if (drained_) return;
  drained_ = true;
  if (http_ != nullptr) {
    api_->SetDraining();
    Log(LogLevel::kInfo, "draining");
    app_->CancelJobs();
    if (!http_->Drain(options_.config.drain_us)) Log(LogLevel::kWarning, "requests_cut_off");
  }
  if (app_ != nullptr) app_->Stop();
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
