#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

struct ssl_ctx_st;

namespace bowerbird::server {

/// A certificate and its key, and how they are offered: TLS 1.2 and newer.
///
/// Threads  immutable. A connection keeps what it needs of it, so that another may take its place at any time.
class TlsCredentials {
 public:
  /// Paths of PEM files; the certificate's holds the chain, the server's own first. InvalidArgument: one does not read,
  /// or they do not belong together; the message names the file and what OpenSSL says.
  static absl::StatusOr<std::shared_ptr<const TlsCredentials>> Load(const std::string& certificate,
                                                                    const std::string& key);
  ~TlsCredentials();
  TlsCredentials(const TlsCredentials&) = delete;
  TlsCredentials& operator=(const TlsCredentials&) = delete;

  /// OpenSSL's SSL_CTX, counted: the caller gives it back.
  ssl_ctx_st* Share() const;

 private:
  explicit TlsCredentials(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* const context_;
};

}  // namespace bowerbird::server
