#include "cli/connection.h"

#include <fmt/format.h>
#include <simdjson.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/synchronization/notification.h"
#include "base/status_macros.h"
#include "server/api.h"
#include "server/keys.h"
#include "server/metrics.h"
#include "server/structured_log.h"

namespace bowerbird::cli {
namespace {

constexpr int64_t kProbeUs = 2'000'000;
constexpr int64_t kCallUs = 3'600'000'000;  // a training may take long

std::string SocketOf(const std::string& dir) { return dir + "/bowerbird.sock"; }

/// Whether a server answers on the folder's socket. A socket that a killed server left behind does not.
bool ServerAnswers(const std::string& dir) {
  if (!std::filesystem::exists(SocketOf(dir))) return false;
  auto client = server::HttpClient::Connect("unix:" + SocketOf(dir), kProbeUs);
  return client.ok() && client->Call("GET", "/healthz", "").ok();
}

void Warn(const std::string& warning) { std::fprintf(stderr, "warning: %s\n", warning.c_str()); }

class RemoteConnection final : public Connection {
 public:
  RemoteConnection(server::HttpClient client, std::string app) : client_(std::move(client)), app_(std::move(app)) {}
  bool remote() const override { return true; }
  absl::StatusOr<server::HttpResponse> Call(std::string_view method, std::string_view target,
                                            std::string_view body) override {
    if (app_.empty()) return client_.Call(method, target, body);
    return client_.Call(method, target, body, {{"Bowerbird-App", app_}});
  }

 private:
  server::HttpClient client_;
  const std::string app_;
};

class LocalConnection final : public Connection {
 public:
  LocalConnection(const std::string& dir, std::string app, std::unique_ptr<server::Keys> keys)
      : app_(std::move(app)),
        apps_(HostOptions(dir)),
        keys_(std::move(keys)),
        audit_(dir + "/audit.log"),
        api_(&apps_, keys_.get(), &audit_, &metrics_, {.dir = dir}) {}
  absl::Status Open() { return apps_.Open(app_); }
  void OpenAll() { apps_.OpenAll(); }
  bool remote() const override { return false; }

  absl::StatusOr<server::HttpResponse> Call(std::string_view method, std::string_view target,
                                            std::string_view body) override {
    auto request = std::make_shared<server::HttpRequest>();
    const size_t question = std::min(target.find('?'), target.size());
    request->method = method;
    request->path = target.substr(0, question);
    if (question < target.size()) {
      const std::string_view pair = target.substr(question + 1);
      const size_t equals = std::min(pair.find('='), pair.size());
      request->query[std::string(pair.substr(0, equals))] = pair.substr(std::min(pair.size(), equals + 1));
    }
    if (!app_.empty()) request->headers["bowerbird-app"] = app_;
    request->body = body;
    request->loopback = request->local = true;
    request->peer_uid = getuid();
    server::HttpResponse response;
    absl::Notification done;
    api_.Handle(request, [&](server::HttpResponse answer) {
      response = std::move(answer);
      done.Notify();
    });
    done.WaitForNotification();
    return response;
  }
  app::App* local_app() override {
    const auto app = apps_.Find(app_);
    return app.ok() ? &(*app)->app() : nullptr;
  }

 private:
  static server::AppHost::Options HostOptions(const std::string& dir) {
    server::AppHost::Options options;
    options.dir = dir;
    options.pipeline = false;
    options.on_warning = [](std::string_view, const std::string& warning) { Warn(warning); };
    return options;
  }

  const std::string app_;
  server::AppHost apps_;
  const std::unique_ptr<server::Keys> keys_;
  server::AuditLog audit_;
  server::Metrics metrics_;
  server::Api api_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& dir, const std::string& app) {
  if (ServerAnswers(dir)) {
    std::fprintf(stderr, "using the server that owns %s\n", dir.c_str());
    ASSIGN_OR_RETURN(server::HttpClient client, server::HttpClient::Connect("unix:" + SocketOf(dir), kCallUs));
    return std::make_unique<RemoteConnection>(std::move(client), app);
  }
  std::fprintf(stderr, "opening %s (no server owns it)\n", dir.c_str());
  server::SetLogLevel("warn");  // the command itself says what it did
  ASSIGN_OR_RETURN(auto keys, server::Keys::Open(dir + "/keys.json"));
  auto connection = std::make_unique<LocalConnection>(dir, app, std::move(keys));
  RETURN_IF_ERROR(connection->Open());
  return connection;
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::OpenFolder(const std::string& dir, bool open_apps) {
  if (!std::filesystem::is_directory(dir))
    return absl::NotFoundError(fmt::format("{}: no such folder; `bowerbird init` makes one", dir));
  if (ServerAnswers(dir)) {
    ASSIGN_OR_RETURN(server::HttpClient client, server::HttpClient::Connect("unix:" + SocketOf(dir), kCallUs));
    return std::make_unique<RemoteConnection>(std::move(client), "");
  }
  server::SetLogLevel("off");  // what failed is in the answer
  ASSIGN_OR_RETURN(auto keys, server::Keys::Open(dir + "/keys.json"));
  auto connection = std::make_unique<LocalConnection>(dir, "", std::move(keys));
  if (open_apps) connection->OpenAll();
  return connection;
}

std::unique_ptr<Connection> Connection::Over(server::HttpClient client) {
  return std::make_unique<RemoteConnection>(std::move(client), "");
}

absl::StatusOr<std::string> Connection::Checked(std::string_view method, std::string_view target,
                                                std::string_view body) {
  ASSIGN_OR_RETURN(server::HttpResponse response, Call(method, target, body));
  if (response.status == 200) return std::move(response.body);
  simdjson::dom::parser parser;
  simdjson::dom::element problem;
  std::string_view detail, field;
  if (parser.parse(response.body).get(problem) != simdjson::SUCCESS ||
      problem["detail"].get(detail) != simdjson::SUCCESS) {
    return absl::UnknownError(fmt::format("{} {}: status {}", method, target, response.status));
  }
  if (problem["field"].get(field) != simdjson::SUCCESS) field = {};
  const std::string message =
      field.empty() || detail.starts_with(field) ? std::string(detail) : fmt::format("{}: {}", field, detail);
  if (response.status == 404) return absl::NotFoundError(message);
  if (response.status == 503) return absl::UnavailableError(message);
  return absl::InvalidArgumentError(message);
}

absl::StatusOr<std::unique_ptr<app::App>> OpenExclusively(const std::string& dir, const std::string& app,
                                                          bool consume) {
  if (ServerAnswers(dir)) {
    return absl::FailedPreconditionError(fmt::format("a server owns {}; stop it first", dir));
  }
  app::App::Options options;
  options.dir = dir;
  options.name = app;
  options.consume = consume;
  options.on_warning = Warn;
  return app::App::Open(options);
}

}  // namespace bowerbird::cli
