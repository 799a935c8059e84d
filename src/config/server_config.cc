#include <arpa/inet.h>

#include <optional>
#include <string>

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

void ReadAll(std::string_view text, Problems* problems, ServerConfig* server, TlsFiles* tls) {
  const TomlDocument document = ParseToml(text, problems);
  if (!document.complete) return;
  TableReader root(&document.root, "", 0, problems);
  ReadServer(root.Table("server"), problems, server);
  ReadTls(root.Table("tls"), tls);
  root.RefuseUnknown("server.toml");
}

}  // namespace

ServerParseResult ParseServer(std::string_view text, std::string_view file) {
  Problems problems(file);
  ServerConfig server;
  TlsFiles tls;
  ReadAll(text, &problems, &server, &tls);
  if (problems.size() > 0) return {std::nullopt, problems.Take()};
  return {std::move(server), {}};
}

TlsFiles ParseTlsFiles(std::string_view text) {
  Problems problems("server.toml");
  ServerConfig server;
  TlsFiles tls;
  ReadAll(text, &problems, &server, &tls);
  return problems.size() > 0 ? TlsFiles() : tls;
}

}  // namespace bowerbird::config
