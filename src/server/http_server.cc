#include "server/http_server.h"

#include <fmt/format.h>
#if defined(__linux__)
#include <netinet/tcp.h>
#endif
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/version.hpp>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/published.h"

namespace bowerbird::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using asio::local::stream_protocol;
using TlsStream = asio::ssl::stream<beast::basic_stream<tcp>>;
constexpr auto kNoThrow = asio::experimental::as_tuple(asio::use_awaitable);

std::string SerializeHead(const HttpResponse& response, bool keep_alive) {
  const auto status = static_cast<http::status>(response.status);
  std::string head =
      fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n", response.status,
                  std::string_view(http::obsolete_reason(status).data(), http::obsolete_reason(status).size()),
                  response.content_type, response.body.size());
  for (const auto& [name, value] : response.headers)
    fmt::format_to(std::back_inserter(head), "{}: {}\r\n", name, value);
  if (!keep_alive) head += "Connection: close\r\n";
  head += "\r\n";
  return head;
}

/// The request as handlers see it. False: the target is malformed.
bool Convert(http::request<http::string_body>&& message, HttpRequest* out) {
  out->method = std::string(message.method_string().data(), message.method_string().size());
  const std::string_view target(message.target().data(), message.target().size());
  if (target.empty() || target[0] != '/') return false;
  const size_t question = std::min(target.find('?'), target.size());
  out->path = std::string(target.substr(0, question));
  size_t start = question + 1;
  while (start < target.size()) {
    const size_t end = std::min(target.find('&', start), target.size());
    const std::string_view pair = target.substr(start, end - start);
    const size_t equals = std::min(pair.find('='), pair.size());
    std::string name, value;
    if (!PercentDecode(pair.substr(0, equals), true, &name)) return false;
    if (equals < pair.size() && !PercentDecode(pair.substr(equals + 1), true, &value)) return false;
    out->query[name] = std::move(value);
    start = end + 1;
  }
  for (const auto& field : message.base()) {
    std::string name(field.name_string().data(), field.name_string().size());
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    std::string& value = out->headers[name];
    if (!value.empty()) value += ", ";
    value.append(field.value().data(), field.value().size());
  }
  out->body = std::move(message.body());
  return true;
}

bool IsLoopback(const tcp::socket& socket) {
  boost::system::error_code error;
  const auto peer = socket.remote_endpoint(error);
  if (error) return false;
  const auto address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}
bool IsLoopback(const stream_protocol::socket&) { return true; }

/// How long ago the last bytes came that were read from the socket: what they waited for their turn, first in the
/// kernel, then behind other requests of the thread. 0 where the system does not say.
int64_t WaitedUs(tcp::socket& socket) {
#if defined(__linux__)
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0) {
    return int64_t{1000} * info.tcpi_last_data_recv;
  }
#endif
  (void)socket;
  return 0;
}
int64_t WaitedUs(stream_protocol::socket&) { return 0; }
int64_t PeerUid(tcp::socket&) { return -1; }
int64_t PeerUid(stream_protocol::socket& socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? int64_t{peer.uid} : -1;
}

/// Whether the other end of a connection has closed it, or its own side of it.
bool HasEnded(int fd) {
  pollfd ended{fd, POLLRDHUP, 0};
  return poll(&ended, 1, 0) > 0 && (ended.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

class Server final : public HttpServer {
 public:
  Server(Options options, Handler handler)
      : options_(std::move(options)), handler_(std::move(handler)), tls_(options_.tls) {}
  ~Server() override { Drain(0); }

  absl::Status Open();
  void Post(std::function<void()> work) override {
    asio::post(loops_[next_loop_++ % loops_.size()]->context, std::move(work));
  }
  uint16_t port() const override { return port_; }
  void SetTls(std::shared_ptr<const TlsCredentials> tls) override { tls_.Set(std::move(tls)); }
  uint64_t connections() const override { return connections_; }
  uint64_t connections_refused() const override { return refused_; }
  bool Drain(int64_t timeout_us) override;

 private:
  struct Loop {
    asio::io_context context{1};
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
    // Live sockets of this loop, closed when a drain's patience ends; touched on its thread only.
    absl::flat_hash_set<beast::basic_stream<tcp>*> tcp_streams;
    absl::flat_hash_set<beast::basic_stream<stream_protocol>*> local_streams;
    std::thread thread;
  };
  auto& Streams(Loop& loop, beast::basic_stream<tcp>*) { return loop.tcp_streams; }
  auto& Streams(Loop& loop, beast::basic_stream<stream_protocol>*) { return loop.local_streams; }

  template <typename Protocol>
  asio::awaitable<void> Accept(typename Protocol::acceptor& acceptor, bool local);
  template <typename Protocol>
  asio::awaitable<void> Session(Loop& loop, typename Protocol::socket socket, bool local);
  template <typename Stream>
  asio::awaitable<void> Exchanges(Stream& stream, const HttpRequest& peer);
  HttpResponse ProblemOf(const boost::system::error_code& error) const;
  template <typename Stream>
  asio::awaitable<void> Discard(Stream& stream);
  template <typename Stream>
  asio::awaitable<bool> Write(Stream& stream, const HttpResponse& response, bool keep_alive, bool head_only);

  const Options options_;
  const Handler handler_;
  base::Published<TlsCredentials> tls_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::optional<tcp::acceptor> tcp_acceptor_;
  std::optional<stream_protocol::acceptor> local_acceptor_;
  uint16_t port_ = 0;
  std::atomic<uint64_t> next_loop_ = 0;
  std::atomic<uint64_t> connections_ = 0;
  std::atomic<uint64_t> refused_ = 0;
  std::atomic<uint64_t> in_flight_ = 0;
  std::atomic<bool> draining_ = false;
  bool stopped_ = false;
};

absl::Status Server::Open() {
  for (uint32_t i = 0; i < std::max(1u, options_.threads); ++i) loops_.push_back(std::make_unique<Loop>());
  boost::system::error_code error;
  const auto address = asio::ip::make_address(options_.listen, error);
  if (error)
    return absl::InvalidArgumentError(fmt::format("listen: found '{}'; expected an IP address", options_.listen));
  const tcp::endpoint endpoint(address, options_.port);
  tcp_acceptor_.emplace(loops_[0]->context);
  tcp_acceptor_->open(endpoint.protocol(), error);
  if (!error) tcp_acceptor_->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) tcp_acceptor_->bind(endpoint, error);
  if (!error) tcp_acceptor_->listen(1024, error);
  if (error) {
    return absl::UnavailableError(
        fmt::format("cannot listen on {}:{}: {}", options_.listen, options_.port, error.message()));
  }
  port_ = tcp_acceptor_->local_endpoint().port();
  if (!options_.socket_path.empty()) {
    unlink(options_.socket_path.c_str());
    local_acceptor_.emplace(loops_[0]->context);
    const mode_t old_mask = umask(0177);
    local_acceptor_->open(stream_protocol(), error);
    if (!error) local_acceptor_->bind(stream_protocol::endpoint(options_.socket_path), error);
    umask(old_mask);
    if (!error) local_acceptor_->listen(64, error);
    if (error)
      return absl::UnavailableError(fmt::format("cannot listen on {}: {}", options_.socket_path, error.message()));
    asio::co_spawn(loops_[0]->context, Accept<stream_protocol>(*local_acceptor_, true), asio::detached);
  }
  asio::co_spawn(loops_[0]->context, Accept<tcp>(*tcp_acceptor_, false), asio::detached);
  for (auto& loop : loops_) {
    loop->work.emplace(loop->context.get_executor());
    loop->thread = std::thread([context = &loop->context] { context->run(); });
  }
  return absl::OkStatus();
}

template <typename Protocol>
asio::awaitable<void> Server::Accept(typename Protocol::acceptor& acceptor, bool local) {
  while (!draining_) {
    Loop& loop = *loops_[next_loop_++ % loops_.size()];
    typename Protocol::socket socket(loop.context);
    const auto [error] = co_await acceptor.async_accept(socket, kNoThrow);
    if (error == asio::error::operation_aborted || draining_) co_return;
    if (error) {
      // Out of file descriptors, most likely: wait instead of spinning.
      asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(20));
      (void)co_await pause.async_wait(kNoThrow);
      continue;
    }
    if (connections_ >= options_.connections_max) {
      ++refused_;
      continue;  // the socket closes here
    }
    ++connections_;
    asio::co_spawn(loop.context, Session<Protocol>(loop, std::move(socket), local), asio::detached);
  }
}

template <typename Stream>
asio::awaitable<bool> Server::Write(Stream& stream, const HttpResponse& response, bool keep_alive, bool head_only) {
  const std::string head = SerializeHead(response, keep_alive);
  const std::array<asio::const_buffer, 2> buffers{
      asio::buffer(head), asio::buffer(response.body.data(), head_only ? 0 : response.body.size())};
  beast::get_lowest_layer(stream).expires_after(std::chrono::microseconds(options_.receive_us_max));
  const auto [error, bytes] = co_await asio::async_write(stream, buffers, kNoThrow);
  (void)bytes;
  co_return !error;
}

/// Whether it is clear where the body ends. With an encoding that is not understood the parser takes it for empty, and
/// what follows for the next request: one that somebody between us and the client has not seen.
bool HasClearLength(const http::request_header<>& head) {
  const auto encoding = head.find(http::field::transfer_encoding);
  return encoding == head.end() || (head.version() == 11 && beast::iequals(encoding->value(), "chunked") &&
                                    head.count(http::field::transfer_encoding) == 1);
}

/// What to answer when a request could not be read; status 0: nothing, the connection just ends.
HttpResponse Server::ProblemOf(const boost::system::error_code& error) const {
  if (error == http::error::body_limit) {
    return ProblemResponse(413, "body_too_large", fmt::format("the body is over {} bytes", options_.body_bytes_max()));
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return ProblemResponse(431, "headers_too_large",
                           fmt::format("the headers are over {} bytes", options_.header_bytes_max));
  }
  HttpResponse none;
  none.status = 0;
  const bool of_http = error.category() == http::make_error_code(http::error::bad_target).category();
  if (!of_http || error == http::error::end_of_stream || error == http::error::partial_message) return none;
  return ProblemResponse(400, "malformed_http", error.message());
}

/// Reads what a refused client still sends, for a while: closing on unread bytes would reset the connection, and the
/// client would lose the answer that says why.
template <typename Stream>
asio::awaitable<void> Server::Discard(Stream& stream) {
  boost::system::error_code ignored;
  beast::get_lowest_layer(stream).socket().shutdown(asio::socket_base::shutdown_send, ignored);
  std::vector<char> scratch(64 * 1024);
  beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(2));
  for (uint64_t discarded = 0; discarded < 16 * options_.body_bytes_max();) {
    const auto [error, bytes] = co_await stream.async_read_some(asio::buffer(scratch), kNoThrow);
    if (error) co_return;
    discarded += bytes;
  }
}

/// One connection: what it is is found out once, then requests and answers go to and fro.
template <typename Protocol>
asio::awaitable<void> Server::Session(Loop& loop, typename Protocol::socket socket, bool local) {
  HttpRequest peer;
  peer.loopback = IsLoopback(socket);
  peer.local = local;
  peer.peer_uid = PeerUid(socket);
  boost::system::error_code ignored;
  if constexpr (std::is_same_v<Protocol, tcp>) socket.set_option(tcp::no_delay(true), ignored);
  bool served = false;
  if constexpr (std::is_same_v<Protocol, tcp>) {
    if (const auto credentials = tls_.Get(); credentials != nullptr) {
      asio::ssl::context context(credentials->Share());
      TlsStream stream(beast::basic_stream<tcp>(std::move(socket)), context);
      beast::basic_stream<tcp>& lowest = beast::get_lowest_layer(stream);
      Streams(loop, &lowest).insert(&lowest);
      lowest.expires_after(std::chrono::microseconds(options_.receive_us_max));
      const auto [refused] = co_await stream.async_handshake(asio::ssl::stream_base::server, kNoThrow);
      if (!refused) {
        co_await Exchanges(stream, peer);
        // Says that nothing was cut off; a client that does not answer is not waited for.
        lowest.expires_after(std::chrono::seconds(1));
        (void)co_await stream.async_shutdown(kNoThrow);
      }
      lowest.socket().shutdown(asio::socket_base::shutdown_send, ignored);
      Streams(loop, &lowest).erase(&lowest);
      served = true;
    }
  }
  if (!served) {
    beast::basic_stream<Protocol> stream(std::move(socket));
    Streams(loop, &stream).insert(&stream);
    co_await Exchanges(stream, peer);
    stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
    Streams(loop, &stream).erase(&stream);
  }
  --connections_;
}

/// Requests and their answers, one after another, until either side ends it.
template <typename Stream>
asio::awaitable<void> Server::Exchanges(Stream& stream, const HttpRequest& peer) {
  beast::flat_buffer buffer;
  buffer.max_size(options_.header_bytes_max + 64 * 1024);
  bool open = true;
  while (open && !draining_) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(options_.header_bytes_max);
    parser.body_limit(options_.body_bytes_max());
    beast::get_lowest_layer(stream).expires_after(std::chrono::microseconds(options_.idle_us_max));
    if (buffer.size() == 0) {
      // The first byte of a request may take as long as a connection may idle; the rest of it may not.
      const auto [error, bytes] = co_await stream.async_read_some(buffer.prepare(4096), kNoThrow);
      if (error) break;
      buffer.commit(bytes);
    }
    beast::get_lowest_layer(stream).expires_after(std::chrono::microseconds(options_.receive_us_max));
    auto [error, header_bytes] = co_await http::async_read_header(stream, buffer, parser, kNoThrow);
    (void)header_bytes;
    if (!error && !HasClearLength(parser.get())) {
      const HttpResponse problem =
          ProblemResponse(400, "malformed_http", "found a Transfer-Encoding other than chunked in HTTP/1.1");
      if (co_await Write(stream, problem, false, false)) co_await Discard(stream);
      break;
    }
    if (!error && beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto [write_error, written] = co_await asio::async_write(stream, asio::buffer(kContinue), kNoThrow);
      (void)written;
      if (write_error) break;
    }
    if (!error) {
      auto [body_error, body_bytes] = co_await http::async_read(stream, buffer, parser, kNoThrow);
      (void)body_bytes;
      error = body_error;
    }
    if (error) {
      const HttpResponse problem = ProblemOf(error);
      if (problem.status != 0 && co_await Write(stream, problem, false, false)) co_await Discard(stream);
      break;
    }
    const bool keep_alive = parser.get().keep_alive();
    const bool head_only = parser.get().method() == http::verb::head;
    auto request = std::make_shared<HttpRequest>();
    request->loopback = peer.loopback;
    request->local = peer.local;
    request->peer_uid = peer.peer_uid;
    request->waited_us = WaitedUs(beast::get_lowest_layer(stream).socket());
    if (!Convert(parser.release(), request.get())) {
      const HttpResponse problem =
          ProblemResponse(400, "malformed_target", "the request target must be a path with well-formed escapes");
      co_await Write(stream, problem, false, false);
      break;
    }
    if (head_only) request->method = "GET";
    request->client_gone = [fd = beast::get_lowest_layer(stream).socket().native_handle()] { return HasEnded(fd); };
    beast::get_lowest_layer(stream).expires_never();
    ++in_flight_;
    auto executor = co_await asio::this_coro::executor;
    request->post = [executor](std::function<void()> work) { asio::post(executor, std::move(work)); };
    // Temporaries with destructors inside a co_await expression are destroyed twice by GCC 12: what it awaits has a
    // name, and the lambda captures nothing but references.
    const auto start = [this, &request, &executor](auto completion) {
      auto shared = std::make_shared<decltype(completion)>(std::move(completion));
      // Moved: what the request holds is let go when it is answered, not when a slow client has read the answer.
      handler_(std::move(request), [shared, executor](HttpResponse answer) {
        asio::post(executor, [shared, answer = std::move(answer)]() mutable { (*shared)(std::move(answer)); });
      });
    };
    HttpResponse response =
        co_await asio::async_initiate<decltype(asio::use_awaitable), void(HttpResponse)>(start, asio::use_awaitable);
    const bool stay = keep_alive && !draining_;
    const bool written = co_await Write(stream, response, stay, head_only);
    --in_flight_;
    open = written && stay;
  }
}

bool Server::Drain(int64_t timeout_us) {
  if (stopped_) return true;
  stopped_ = true;
  draining_ = true;
  asio::post(loops_[0]->context, [this] {
    boost::system::error_code ignored;
    if (tcp_acceptor_) tcp_acceptor_->close(ignored);
    if (local_acceptor_) local_acceptor_->close(ignored);
  });
  const int64_t deadline = base::MonotonicUs() + timeout_us;
  while (in_flight_ > 0 && base::MonotonicUs() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const bool clean = in_flight_ == 0;
  for (auto& loop : loops_) {
    asio::post(loop->context, [loop = loop.get()] {
      for (auto* stream : loop->tcp_streams) stream->cancel();
      for (auto* stream : loop->local_streams) stream->cancel();
    });
  }
  // Idle sessions end at the cancel; one whose handler never answers is abandoned with its loop.
  const int64_t grace = base::MonotonicUs() + 500'000;
  while (connections_ > 0 && base::MonotonicUs() < grace) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  for (auto& loop : loops_) {
    loop->work.reset();
    loop->context.stop();
    if (loop->thread.joinable()) loop->thread.join();
  }
  if (!options_.socket_path.empty()) unlink(options_.socket_path.c_str());
  return clean;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Options& options, Handler handler) {
  auto server = std::make_unique<Server>(options, std::move(handler));
  if (absl::Status status = server->Open(); !status.ok()) return status;
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace bowerbird::server
