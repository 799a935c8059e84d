#pragma once

#include <string>
#include <string_view>

namespace bowerbird::config {

/// [tls] of server.toml: PEM files of the process's certificate and key, absolute or beside server.toml. Both empty: no
/// TLS.
struct TlsFiles {
  std::string certificate, key;
  bool operator==(const TlsFiles&) const = default;
};
/// Of a text that ParseServer accepts; empty for another.
TlsFiles ParseTlsFiles(std::string_view text);

}  // namespace bowerbird::config
