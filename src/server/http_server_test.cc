#include "server/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>
#include <thread>

#include "server/http_client.h"

namespace bowerbird::server {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// Sends raw bytes and returns whatever comes back until the server closes or `seconds` pass.
std::string Raw(uint16_t port, const std::string& bytes, int seconds = 2) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const timeval limit{seconds, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  std::string out;
  char buffer[4096];
  for (ssize_t n; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;) out.append(buffer, static_cast<size_t>(n));
  close(fd);
  return out;
}

class HttpServerTest : public testing::Test {
 protected:
  void Start(HttpServer::Options options, Handler handler) {
    auto started = HttpServer::Start(options, std::move(handler));
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }
  HttpClient Client() { return *HttpClient::Connect("127.0.0.1:" + std::to_string(server_->port()), 5'000'000); }
  std::unique_ptr<HttpServer> server_;
};

void Echo(const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
  HttpResponse response;
  response.body = request->method + " " + request->path + " " + request->body;
  respond(std::move(response));
}

TEST_F(HttpServerTest, AnswersManyRequestsOnOneConnection) {
  Start({}, Echo);
  HttpClient client = Client();
  for (int i = 0; i < 50; ++i) {
    const auto response = client.Call("POST", "/p" + std::to_string(i), "body");
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->body, "POST /p" + std::to_string(i) + " body");
  }
}

TEST_F(HttpServerTest, AnswersFromAnotherThreadLater) {
  Start({}, [](std::shared_ptr<HttpRequest> request, Responder respond) {
    std::thread([request, respond] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      Echo(request, respond);
    }).detach();
  });
  EXPECT_EQ(Client().Call("GET", "/x", "")->body, "GET /x ");
}

TEST_F(HttpServerTest, ManyConnectionsAnsweredByAnotherThread) {
  std::mutex mutex;
  std::vector<Responder> waiting;
  std::atomic<bool> stop = false;
  std::thread answering([&] {
    while (!stop) {
      std::vector<Responder> taken;
      {
        const std::lock_guard lock(mutex);
        taken.swap(waiting);
      }
      for (const Responder& respond : taken) {
        HttpResponse response;
        response.body = "later";
        respond(std::move(response));
      }
      std::this_thread::yield();
    }
  });
  Start({}, [&](std::shared_ptr<HttpRequest>, Responder respond) {
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(respond));
  });
  std::vector<std::thread> callers;
  std::atomic<int> answered = 0;
  for (int c = 0; c < 6; ++c) {
    callers.emplace_back([&] {
      HttpClient client = Client();
      for (int i = 0; i < 100; ++i) {
        const auto response = client.Call("POST", "/x", std::string(10'000, 'a'));
        if (response.ok() && response->body == "later") ++answered;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(answered, 600);
  server_->Drain(1'000'000);
  stop = true;
  answering.join();
}

TEST_F(HttpServerTest, ServesTheSocketInTheFileSystem) {
  HttpServer::Options options;
  options.socket_path = testing::TempDir() + "/bowerbird_http_test.sock";
  Start(options, [](std::shared_ptr<HttpRequest> request, Responder respond) {
    HttpResponse response;
    response.body = request->local ? "local" : "remote";
    respond(std::move(response));
  });
  auto client = HttpClient::Connect("unix:" + options.socket_path, 1'000'000);
  ASSERT_TRUE(client.ok());
  EXPECT_EQ(client->Call("GET", "/", "")->body, "local");
  EXPECT_EQ(Client().Call("GET", "/", "")->body, "remote");
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(options.socket_path));
}

TEST_F(HttpServerTest, RefusesWhatIsTooLargeOrNotHttp) {
  HttpServer::Options options;
  options.body_bytes_max = [] { return uint64_t{1000}; };
  options.header_bytes_max = 2000;
  Start(options, Echo);
  EXPECT_THAT(Raw(server_->port(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n"), HasSubstr("413"));
  EXPECT_THAT(Raw(server_->port(), "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(3000, 'x') + "\r\n\r\n"),
              HasSubstr("431"));
  EXPECT_THAT(Raw(server_->port(), "\x16\x03\x01 not http\r\n\r\n"), HasSubstr("400"));
  EXPECT_THAT(Raw(server_->port(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
              HasSubstr("400"));
  EXPECT_THAT(Raw(server_->port(), "GET /%zz?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n"), HasSubstr("400"));
  EXPECT_EQ(Client().Call("GET", "/still", "")->body, "GET /still ");
}

TEST_F(HttpServerTest, ClosesAClientThatSendsHalfARequestAndServesOthers) {
  HttpServer::Options options;
  options.receive_us_max = 200'000;
  Start(options, Echo);
  std::thread slow(
      [&] { EXPECT_EQ(Raw(server_->port(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhal", 5), ""); });
  EXPECT_EQ(Client().Call("GET", "/", "")->status, 200);
  slow.join();
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Start({}, Echo);
  const std::string out =
      Raw(server_->port(), "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_LT(out.find("GET /1"), out.find("GET /2"));
  EXPECT_NE(out.find("GET /2"), std::string::npos);
}

TEST_F(HttpServerTest, RefusesConnectionsBeyondTheBound) {
  HttpServer::Options options;
  options.connections_max = 2;
  Start(options, Echo);
  HttpClient a = Client(), b = Client();
  ASSERT_TRUE(a.Call("GET", "/", "").ok());
  ASSERT_TRUE(b.Call("GET", "/", "").ok());
  EXPECT_EQ(Raw(server_->port(), "", 1), "");
  EXPECT_EQ(server_->connections_refused(), 1u);
  EXPECT_TRUE(a.Call("GET", "/", "").ok());
}

TEST_F(HttpServerTest, DrainLetsARequestInFlightFinish) {
  Start({}, [](std::shared_ptr<HttpRequest> request, Responder respond) {
    std::thread([request, respond] {
      std::this_thread::sleep_for(std::chrono::milliseconds(150));
      Echo(request, respond);
    }).detach();
  });
  std::string body;
  std::thread caller([&] { body = Client().Call("GET", "/slow", "")->body; });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(server_->Drain(5'000'000));
  caller.join();
  EXPECT_EQ(body, "GET /slow ");
}

}  // namespace
}  // namespace bowerbird::server
