#include "server/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstdio>
#include <fstream>

#include "server/certificate_for_test.h"
#include "server/http_client.h"
#include "server/http_server.h"

namespace bowerbird::server {
namespace {

using testing::HasSubstr;

struct Seen {
  std::string name;    ///< that the server's certificate says
  std::string answer;  ///< everything it sent; empty where no connection came about
};

/// What a client that speaks at most `version` sees of a server.
Seen Ask(uint16_t port, const std::string& request, int version = TLS1_3_VERSION) {
  Seen seen;
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_security_level(context, 0);
  SSL_CTX_set_max_proto_version(context, version);
  BIO* connection = BIO_new_ssl_connect(context);
  BIO_set_conn_hostname(connection, ("127.0.0.1:" + std::to_string(port)).c_str());
  SSL* ssl = nullptr;
  BIO_get_ssl(connection, &ssl);
  if (BIO_do_connect(connection) == 1) {
    if (X509* peer = SSL_get1_peer_certificate(ssl); peer != nullptr) {
      char name[64] = "";
      X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name, sizeof(name));
      seen.name = name;
      X509_free(peer);
    }
    BIO_write(connection, request.data(), static_cast<int>(request.size()));
    char buffer[4096];
    for (int n; (n = BIO_read(connection, buffer, sizeof(buffer))) > 0;)
      seen.answer.append(buffer, static_cast<size_t>(n));
  }
  BIO_free_all(connection);
  SSL_CTX_free(context);
  return seen;
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    for (const char* name : {"first", "second"}) MakeCertificate(folder_, name);
  }
  std::shared_ptr<const TlsCredentials> Load(const std::string& name) {
    auto loaded = TlsCredentials::Load(folder_ + "/" + name + ".crt", folder_ + "/" + name + ".key");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return *loaded;
  }
  void Start() {
    HttpServer::Options options;
    options.tls = Load("first");
    options.socket_path = folder_ + "/bowerbird_tls_test.sock";
    auto started =
        HttpServer::Start(options, [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
          HttpResponse response;
          response.body = request->method + " " + request->path + " " + std::to_string(request->body.size());
          respond(std::move(response));
        });
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }
  const std::string folder_ = testing::TempDir();
  std::unique_ptr<HttpServer> server_;
};

constexpr char kGet[] = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

TEST_F(TlsTest, AnswersRequestsOfSeveralOnOneConnection) {
  Start();
  const std::string body(100'000, 'a');
  const Seen seen = Ask(server_->port(), "POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + body + kGet);
  EXPECT_EQ(seen.name, "first");
  EXPECT_THAT(seen.answer, testing::AllOf(HasSubstr("POST /y 100000"), HasSubstr("GET /x 0")));
}

TEST_F(TlsTest, RefusesWhatIsOlderThanTls12AndWhatIsNotTls) {
  Start();
  EXPECT_THAT(Ask(server_->port(), kGet, TLS1_2_VERSION).answer, HasSubstr("GET /x"));
  EXPECT_EQ(Ask(server_->port(), kGet, TLS1_1_VERSION).answer, "");
  auto plain = HttpClient::Connect("127.0.0.1:" + std::to_string(server_->port()), 2'000'000);
  EXPECT_FALSE(plain.ok() && plain->Call("GET", "/x", "").ok());
  // The folder's own socket needs none.
  auto local = HttpClient::Connect("unix:" + folder_ + "/bowerbird_tls_test.sock", 2'000'000);
  ASSERT_TRUE(local.ok());
  EXPECT_EQ(local->Call("GET", "/x", "")->body, "GET /x 0");
}

TEST_F(TlsTest, ANewCertificateIsShownToWhoeverConnectsAfterIt) {
  Start();
  EXPECT_EQ(Ask(server_->port(), kGet).name, "first");
  server_->SetTls(Load("second"));
  const Seen seen = Ask(server_->port(), kGet);
  EXPECT_EQ(seen.name, "second");
  EXPECT_THAT(seen.answer, HasSubstr("GET /x"));
}

TEST_F(TlsTest, FilesThatDoNotReadOrBelongTogetherAreNamed) {
  const auto message = [&](const std::string& certificate, const std::string& key) {
    return std::string(TlsCredentials::Load(folder_ + "/" + certificate, folder_ + "/" + key).status().message());
  };
  EXPECT_THAT(message("none.crt", "first.key"), HasSubstr("none.crt"));
  EXPECT_THAT(message("first.crt", "first.crt"), HasSubstr("private key"));
  EXPECT_THAT(message("first.crt", "second.key"), HasSubstr("second.key"));
}

}  // namespace
}  // namespace bowerbird::server
