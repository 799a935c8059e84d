#include "server/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace bowerbird::server {
namespace {

absl::Status Refused(const std::string& file, std::string_view what) {
  char reason[256] = "";
  // The first of the queue is the cause; the rest is who passed it on.
  if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, reason, sizeof(reason));
  ERR_clear_error();
  return absl::InvalidArgumentError(fmt::format("{}: {}: {}", file, what, reason));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TlsCredentials>> TlsCredentials::Load(const std::string& certificate,
                                                                           const std::string& key) {
  ERR_clear_error();
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) return Refused(certificate, "TLS cannot be set up");
  const std::shared_ptr<const TlsCredentials> credentials(new TlsCredentials(context));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // an idle connection costs no buffers
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
    return Refused(certificate, "expected a certificate chain as PEM");
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1)
    return Refused(key, "expected the certificate's private key as PEM");
  if (SSL_CTX_check_private_key(context) != 1) return Refused(key, "it is not the key of the certificate");
  return credentials;
}

TlsCredentials::~TlsCredentials() { SSL_CTX_free(context_); }

ssl_ctx_st* TlsCredentials::Share() const {
  SSL_CTX_up_ref(context_);
  return context_;
}

}  // namespace bowerbird::server
