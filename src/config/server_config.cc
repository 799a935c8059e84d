#include <arpa/inet.h>

#include <optional>
#include <string>

#include "config/cluster.h"
#include "config/config.h"
#include "config/problems.h"
#include "config/table_reader.h"
#include "config/tls_files.h"
#include "config/toml_value.h"

namespace bowerbird::config {
namespace {

bool IsAddress(const std::string& text) {
  in6_addr storage;
  return inet_pton(AF_INET, text.c_str(), &storage) == 1 || inet_pton(AF_INET6, text.c_str(), &storage) == 1;
}

/// As browsers write it: scheme, host in small letters, perhaps a port; nothing behind.
bool IsOrigin(std::string_view text) {
  if (text == "*") return true;
  const size_t scheme = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : 0;
  return scheme != 0 && text.size() > scheme && text.size() <= 256 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.:[]", scheme) == std::string_view::npos;
}

void ReadServer(TableReader table, Problems* problems, ServerConfig* server) {
  constexpr std::pair<std::string_view, std::string_view> kLevels[] = {
      {"trace", "trace"}, {"debug", "debug"}, {"info", "info"}, {"warn", "warn"}, {"error", "error"}, {"off", "off"}};
  table.Text("listen", 1, 64, &server->listen);
  if (!IsAddress(server->listen)) {
    table.Refuse("listen", Quote(server->listen), "an IP address such as \"127.0.0.1\" or \"::\"");
  }
  table.Integer("port", 0, 65'535, &server->port);
  table.Text("grpc_listen", 1, 64, &server->grpc_listen);
  if (!IsAddress(server->grpc_listen)) {
    table.Refuse("grpc_listen", Quote(server->grpc_listen), "an IP address such as \"127.0.0.1\" or \"::\"");
  }
  if (table.Has("grpc_port")) {
    uint16_t port = 0;
    table.Integer("grpc_port", 0, 65'535, &port);
    server->grpc_port = port;
  }
  table.Integer("threads", 1, 1024, &server->threads);
  table.Bool("open_on_loopback", &server->open_on_loopback);
  table.Duration("drain", 0, kHourUs, &server->drain_us);
  table.Duration("request_max", 10'000, kHourUs, &server->request_us_max);
  table.Integer("connections_max", 1, 1'000'000, &server->connections_max);
  table.Integer("intake_bytes_max", 1 << 20, int64_t{1} << 40, &server->intake_bytes_max);
  std::vector<NameAt> origins;
  if (table.Names("allowed_origins", &origins)) {
    for (const NameAt& origin : origins) {
      if (!IsOrigin(origin.text)) {
        problems->Add(origin.line, origin.path, Quote(origin.text),
                      "an origin such as \"https://shop.example\", without a path, or \"*\"");
      }
      server->allowed_origins.push_back(origin.text);
    }
  }
  std::string_view level = server->log_level;
  if (table.Choice<std::string_view>("log_level", kLevels, &level)) server->log_level = level;
  table.RefuseUnknown("[server]");
}

void ReadTls(TableReader table, TlsFiles* tls) {
  table.Text("certificate", 1, 4096, &tls->certificate);
  table.Text("key", 1, 4096, &tls->key);
  if (tls->certificate.empty() != tls->key.empty()) {
    const bool no_key = tls->key.empty();
    table.Refuse(no_key ? "certificate" : "key", no_key ? "a certificate alone" : "a key alone",
                 "certificate and key, paths of PEM files, or neither");
  }
  table.RefuseUnknown("[tls]");
}

/// "host:port", where the host may be an IPv6 address in brackets.
bool IsHostAndPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || text.size() > 260) return false;
  const std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const int number = std::stoi(std::string(port));
  if (number < 1 || number > 65'535) return false;
  if (host.front() == '[') return host.back() == ']' && IsAddress(std::string(host.substr(1, host.size() - 2)));
  return host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
         std::string_view::npos;
}

void ReadCluster(TableReader table, Problems* problems, Cluster* cluster) {
  std::vector<NameAt> peers;
  if (table.Names("peers", &peers)) {
    for (const NameAt& peer : peers) {
      if (!IsHostAndPort(peer.text)) {
        problems->Add(peer.line, peer.path, Quote(peer.text), "\"host:port\" of a node's gRPC");
      }
      cluster->peers.push_back(peer.text);
    }
  }
  table.Text("key_file", 1, 4096, &cluster->key_file);
  table.Text("ca_file", 1, 4096, &cluster->ca_file);
  table.Duration("forward_max", 1'000, kMinuteUs, &cluster->forward_us_max);
  table.Integer("in_flight_max", 1, 65'536, &cluster->in_flight_max);
  table.Duration("ping", 10'000, kMinuteUs, &cluster->ping_us);
  table.Duration("item_counts", 100'000, kHourUs, &cluster->item_counts_us);
  table.Text("secrets", 1, 4096, &cluster->secrets);
  table.Text("artifacts", 1, 4096, &cluster->artifacts);
  table.Text("checkpoints", 1, 4096, &cluster->checkpoints);
  table.Duration("checkpoint_interval", kSecondUs, 7 * kDayUs, &cluster->checkpoint_us);
  table.Integer("checkpoints_kept", 1, 1000, &cluster->checkpoints_kept);
  table.RefuseUnknown("[cluster]");
}

/// Everything that server.toml says.
struct All {
  ServerConfig server;
  TlsFiles tls;
  Cluster cluster;
};

void ReadAll(std::string_view text, Problems* problems, All* all) {
  const TomlDocument document = ParseToml(text, problems);
  if (!document.complete) return;
  TableReader root(&document.root, "", 0, problems);
  ReadServer(root.Table("server"), problems, &all->server);
  ReadTls(root.Table("tls"), &all->tls);
  ReadCluster(root.Table("cluster"), problems, &all->cluster);
  root.RefuseUnknown("server.toml");
}

}  // namespace

ServerParseResult ParseServer(std::string_view text, std::string_view file) {
  Problems problems(file);
  All all;
  ReadAll(text, &problems, &all);
  if (problems.size() > 0) return {std::nullopt, problems.Take()};
  return {std::move(all.server), {}};
}

TlsFiles ParseTlsFiles(std::string_view text) {
  Problems problems("server.toml");
  All all;
  ReadAll(text, &problems, &all);
  return problems.size() > 0 ? TlsFiles() : all.tls;
}

Cluster ParseCluster(std::string_view text) {
  Problems problems("server.toml");
  All all;
  ReadAll(text, &problems, &all);
  return problems.size() > 0 ? Cluster() : all.cluster;
}

}  // namespace bowerbird::config
