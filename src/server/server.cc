#include "server/server.h"

#include <fmt/format.h>
#include <signal.h>

#include <filesystem>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "config/problem_list.h"
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

HttpResponse ReloadResponse(const std::vector<Server::Reloaded>& reloaded) {
  std::string refused, in_force;
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("files").BeginObject();
  for (const Server::Reloaded& one : reloaded) {
    if (!one.changed.ok()) {
      fmt::format_to(std::back_inserter(refused), "{}{}", refused.empty() ? "" : "\n",
                     std::string(one.changed.status().message()));
      continue;
    }
    const std::string_view became = *one.changed ? "reloaded" : "unchanged";
    json.Key(one.file).String(became);
    fmt::format_to(std::back_inserter(in_force), "{}{} {}", in_force.empty() ? "" : ", ", one.file, became);
  }
  json.EndObject().EndObject();
  if (refused.empty()) return response;
  return ProblemResponse(409, "config_refused",
                         fmt::format("{}\nwhat was refused leaves the former config in force{}{}", refused,
                                     in_force.empty() ? "" : "; the others: ", in_force));
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
  drain_us_ = options_.config.drain_us;
  ASSIGN_OR_RETURN(node_, app::ReadNode(options_.dir));
  ASSIGN_OR_RETURN(cluster_, app::ReadCluster(options_.dir));
  if (!node_.alone() && cluster_.peers.size() != node_.count) {
    return absl::InvalidArgumentError(fmt::format(
        "{}/server.toml: cluster.peers: found {} addresses; expected {}, one a node, because this is node {} "
        "of {}",
        options_.dir, cluster_.peers.size(), node_.count, node_.index, node_.count));
  }
  ASSIGN_OR_RETURN(keys_, Keys::Open(options_.dir + "/keys.json"));
  audit_ = std::make_unique<AuditLog>(options_.dir + "/audit.log");
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
  api_options.dir = options_.dir;
  api_options.open_on_loopback = options_.config.open_on_loopback;
  api_options.allowed_origins = options_.config.allowed_origins;
  api_options.intake_bytes_max = options_.config.intake_bytes_max;
  api_ = std::make_unique<Api>(apps_.get(), keys_.get(), audit_.get(), &metrics_, api_options);
  if (!node_.alone()) RETURN_IF_ERROR(StartPeers());
  api_->SetServerReload([this] { return ReloadResponse(Reload()); });
  if (options_.routes) options_.routes(*api_);
  HttpServer::Options http;
  http.listen = options_.config.listen;
  http.port = options_.config.port;
  http.socket_path = options_.dir + "/bowerbird.sock";
  ASSIGN_OR_RETURN(http.tls, LoadTls());
  has_tls_ = http.tls != nullptr;
  http.threads = options_.config.threads;
  http.body_bytes_max = [apps = apps_.get()] { return apps->body_bytes_max(); };
  http.connections_max = options_.config.connections_max;
  http.receive_us_max = options_.config.request_us_max;
  ASSIGN_OR_RETURN(http_,
                   HttpServer::Start(http, [api = api_.get()](std::shared_ptr<HttpRequest> request, Responder respond) {
                     api->Handle(request, respond);
                   }));
  std::optional<uint16_t> grpc_port = options_.config.grpc_port;
  if (!node_.alone() && !grpc_port.has_value()) {
    const std::string& own = cluster_.peers[node_.index];
    grpc_port = static_cast<uint16_t>(std::stoi(own.substr(own.rfind(':') + 1)));
  }
  if (grpc_port.has_value()) {
    GrpcServer::Options grpc;
    grpc.listen = options_.config.grpc_listen;
    grpc.port = *grpc_port;
    grpc.post = [http = http_.get()](std::function<void()> work) { http->Post(std::move(work)); };
    if (!node_.alone()) {
      grpc.peers = true;
      grpc.peer_streams_max = cluster_.in_flight_max;
    }
    grpc.message_bytes_max = apps_->body_bytes_max();
    ASSIGN_OR_RETURN(grpc.tls, FindTls());
    ASSIGN_OR_RETURN(grpc_, GrpcServer::Start(grpc, api_.get()));
  }
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
    // Streams last as long as their clients like; what they sent is answered within a moment.
    if (grpc_ != nullptr) grpc_->Drain(std::min<int64_t>(drain_us_, 1'000'000));
    if (!http_->Drain(drain_us_)) Log(LogLevel::kWarning, "requests_cut_off");
  }
  if (item_exchange_ != nullptr) item_exchange_->Stop();
  if (peers_ != nullptr) peers_->Stop();
  if (apps_ != nullptr) apps_->Stop();
  Log(LogLevel::kInfo, "stopped");
}

Server::~Server() { Drain(); }

absl::Status Server::StartPeers() {
  peer::Peers::Options peers;
  peers.addresses = cluster_.peers;
  peers.self = node_.index;
  for (const auto& [key, path, text] : {std::tuple{"cluster.key_file", &cluster_.key_file, &peers.key},
                                        std::tuple{"cluster.ca_file", &cluster_.ca_file, &peers.ca_pem}}) {
    if (path->empty()) continue;
    absl::StatusOr<std::string> read = store::ReadFile(*path);
    if (!read.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("{}/server.toml: {}: found \"{}\"; expected a file that can be read: {}", options_.dir, key,
                      *path, std::string(read.status().message())));
    }
    *text = *std::move(read);
  }
  // Editors end a file with a newline.
  peers.key = std::string(absl::StripAsciiWhitespace(peers.key));
  peers.ping_us = cluster_.ping_us;
  peers.in_flight_max = cluster_.in_flight_max;
  peers.message_bytes_max = apps_->body_bytes_max();
  peers.fits = [this](uint32_t node, const v1::PingResponse& said) { return Fits(node, said); };
  peers.changed = [](uint32_t node, const absl::Status& status) {
    const std::string reason(status.message());
    Log(status.ok() ? LogLevel::kInfo : LogLevel::kWarning, status.ok() ? "peer_up" : "peer_down",
        {{"node", int64_t{node}}, {"reason", std::string_view(reason)}});
  };
  peers_ = peer::Peers::Start(std::move(peers));
  api_->forwarder().SetPeers(peers_.get(), cluster_.forward_us_max);
  item_exchange_ = std::make_unique<ItemExchange>(apps_.get(), peers_.get(), &metrics_, cluster_.item_counts_us);
  return absl::OkStatus();
}

absl::Status Server::Fits(uint32_t node, const v1::PingResponse& said) const {
  if (said.apps().empty()) return absl::UnavailableError("it has no app open");
  if (said.node() != node || said.nodes() != node_.count) {
    return absl::FailedPreconditionError(fmt::format("its address is that of node {} of {}; expected node {} of {}",
                                                     said.node(), said.nodes(), node, node_.count));
  }
  for (const v1::PingResponse::App& app : said.apps()) {
    const auto own = apps_->Find(app.name());
    if (own.ok() && (*own)->app().secret_fingerprint() != app.fingerprint()) {
      return absl::FailedPreconditionError(
          fmt::format("app '{}' has another secret there; copy apps/{}/secret from one node to the others", app.name(),
                      app.name()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<config::TlsFiles> Server::FindTls() const {
  const std::filesystem::path dir(options_.dir);
  if (!std::filesystem::exists(dir / "server.toml")) return config::TlsFiles();
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile((dir / "server.toml").string()));
  config::TlsFiles files = config::ParseTlsFiles(text);
  if (files.certificate.empty()) return files;
  return config::TlsFiles{(dir / files.certificate).string(), (dir / files.key).string()};
}

absl::StatusOr<std::shared_ptr<const TlsCredentials>> Server::LoadTls() const {
  ASSIGN_OR_RETURN(const config::TlsFiles files, FindTls());
  if (files.certificate.empty()) return nullptr;
  return TlsCredentials::Load(files.certificate, files.key);
}

absl::StatusOr<bool> Server::ReloadServerConfig() {
  ASSIGN_OR_RETURN(const config::ServerConfig wanted, LoadServerConfig(options_.dir));
  const config::ServerConfig& open = file_config_;
  std::string fixed;
  const auto compare = [&](std::string_view key, const auto& was, const auto& is) {
    if (was == is) return;
    fmt::format_to(std::back_inserter(fixed), "\nserver.{}: found {}; the server was started with {}", key, is, was);
  };
  compare("listen", open.listen, wanted.listen);
  compare("port", open.port, wanted.port);
  compare("grpc_listen", open.grpc_listen, wanted.grpc_listen);
  compare("grpc_port", open.grpc_port.value_or(0), wanted.grpc_port.value_or(0));
  compare("threads", open.threads, wanted.threads);
  compare("request_max", base::FormatDurationUs(open.request_us_max), base::FormatDurationUs(wanted.request_us_max));
  compare("connections_max", open.connections_max, wanted.connections_max);
  // Read whether or not its paths changed: it is what the files hold that does, most often.
  ASSIGN_OR_RETURN(std::shared_ptr<const TlsCredentials> tls, LoadTls());
  if (has_tls_ != (tls != nullptr))
    fixed += has_tls_ ? "\ntls: the server was started with it" : "\ntls: the server was started without it";
  if (!fixed.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("{}/server.toml: this needs the server to be started again{}", options_.dir, fixed));
  }
  const bool changed = tls != nullptr || open.open_on_loopback != wanted.open_on_loopback ||
                       open.allowed_origins != wanted.allowed_origins ||
                       open.intake_bytes_max != wanted.intake_bytes_max || open.drain_us != wanted.drain_us ||
                       open.log_level != wanted.log_level;
  if (tls != nullptr) http_->SetTls(std::move(tls));
  SetLogLevel(wanted.log_level);
  api_->SetOpenOnLoopback(wanted.open_on_loopback);
  api_->SetAllowedOrigins(wanted.allowed_origins);
  api_->in_flight().SetBytesMax(wanted.intake_bytes_max);
  apps_->SetDrain(wanted.drain_us);
  drain_us_ = wanted.drain_us;
  file_config_ = wanted;
  return changed;
}

std::vector<Server::Reloaded> Server::Reload() {
  const absl::MutexLock lock(&reload_mutex_);
  std::vector<Reloaded> reloaded;
  reloaded.push_back({"server.toml", ReloadServerConfig()});
  for (const AppHost::Listed& app : apps_->List()) {
    reloaded.push_back({fmt::format("apps/{}/bowerbird.toml", app.name), apps_->Reload(app.name, false)});
  }
  for (const Reloaded& one : reloaded) {
    if (one.changed.ok() && !*one.changed) continue;
    const std::string reason(one.changed.status().message());
    Log(one.changed.ok() ? LogLevel::kInfo : LogLevel::kError, one.changed.ok() ? "config_reloaded" : "config_refused",
        {{"file", std::string_view(one.file)}, {"reason", std::string_view(reason)}});
  }
  return reloaded;
}

int Server::WaitForSignal(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  int received = 0;
  sigwait(&set, &received);
  return received;
}

}  // namespace bowerbird::server
