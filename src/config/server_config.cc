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

void ReadServer(TableReader table, ServerConfig* server) {
  constexpr std::pair<std::string_view, std::string_view> kLevels[] = {
      {"trace", "trace"}, {"debug", "debug"}, {"info", "info"}, {"warn", "warn"}, {"error", "error"}, {"off", "off"}};
  table.Text("listen", 1, 64, &server->listen);
  if (!IsAddress(server->listen)) {
    table.Refuse("listen", Quote(server->listen), "an IP address such as \"127.0.0.1\" or \"::\"");
  }
  table.Integer("port", 0, 65'535, &server->port);
  table.Integer("threads", 1, 1024, &server->threads);
  table.Bool("open_on_loopback", &server->open_on_loopback);
  table.Duration("drain", 0, kHourUs, &server->drain_us);
  table.Duration("request_max", 10'000, kHourUs, &server->request_us_max);
  table.Integer("connections_max", 1, 1'000'000, &server->connections_max);
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
  ReadServer(root.Table("server"), server);
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
