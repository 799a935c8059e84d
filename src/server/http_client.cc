#include "server/http_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "base/status_macros.h"

namespace bowerbird::server {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

struct HttpClient::Impl {
  std::string address;
  int64_t timeout_us = 0;
  asio::io_context context;
  asio::generic::stream_protocol::socket socket{context};
  beast::flat_buffer buffer;

  absl::Status Open() {
    boost::system::error_code error;
    socket.close(error);
    buffer.clear();
    if (address.starts_with("unix:")) {
      const std::string path = address.substr(5);
      if (path.size() >= sizeof(sockaddr_un::sun_path))
        return absl::InvalidArgumentError(fmt::format("{}: the socket's path is too long", path));
      socket.connect(asio::local::stream_protocol::endpoint(path), error);
    } else {
      const size_t colon = address.rfind(':');
      const auto host = asio::ip::make_address(address.substr(0, colon), error);
      if (error || colon == std::string::npos)
        return absl::InvalidArgumentError(fmt::format("address: found '{}'; expected IP:PORT", address));
      socket.connect(asio::ip::tcp::endpoint(host, static_cast<uint16_t>(std::stoi(address.substr(colon + 1)))), error);
      if (!error) socket.set_option(asio::ip::tcp::no_delay(true), error);
    }
    if (error) return absl::UnavailableError(fmt::format("{}: {}", address, error.message()));
    const timeval limit{timeout_us / 1'000'000, timeout_us % 1'000'000};
    setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return absl::OkStatus();
  }

  absl::StatusOr<HttpResponse> Exchange(std::string_view request, std::string_view body, bool* nothing_received) {
    boost::system::error_code error;
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(request), asio::buffer(body)};
    asio::write(socket, buffers, error);
    http::response_parser<http::string_body> parser;
    parser.body_limit(256u << 20);
    *nothing_received = true;
    // A server that refuses a body answers before it was sent whole, and then stops reading.
    const bool cut_off = error == asio::error::broken_pipe || error == asio::error::connection_reset;
    if (!error || cut_off) {
      http::read_header(socket, buffer, parser, error);
      *nothing_received = !parser.got_some();
      if (!error) http::read(socket, buffer, parser, error);
    }
    if (error == asio::error::would_block || error == asio::error::try_again) {
      return absl::DeadlineExceededError(fmt::format("{}: no answer within {} ms", address, timeout_us / 1000));
    }
    if (error) return absl::UnavailableError(fmt::format("{}: {}", address, error.message()));
    auto message = parser.release();
    HttpResponse response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message.base()) {
      response.headers.emplace_back(std::string(field.name_string().data(), field.name_string().size()),
                                    std::string(field.value().data(), field.value().size()));
      if (beast::iequals(field.name_string(), "content-type")) response.content_type = response.headers.back().second;
    }
    response.body = std::move(message.body());
    if (!message.keep_alive()) socket.close(error);
    return response;
  }
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

absl::StatusOr<HttpClient> HttpClient::Connect(const std::string& address, int64_t timeout_us) {
  auto impl = std::make_unique<Impl>();
  impl->address = address;
  impl->timeout_us = timeout_us;
  RETURN_IF_ERROR(impl->Open());
  return HttpClient(std::move(impl));
}

absl::StatusOr<HttpResponse> HttpClient::Call(std::string_view method, std::string_view target, std::string_view body,
                                              const std::vector<std::pair<std::string, std::string>>& headers) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n", method, target,
                                 impl_->address.starts_with("unix:") ? "localhost" : impl_->address, body.size());
  const bool typed = std::any_of(headers.begin(), headers.end(),
                                 [](const auto& header) { return beast::iequals(header.first, "content-type"); });
  if (!body.empty() && !typed) head += "Content-Type: application/json\r\n";
  for (const auto& [name, value] : headers) fmt::format_to(std::back_inserter(head), "{}: {}\r\n", name, value);
  head += "\r\n";
  const bool fresh = !impl_->socket.is_open();
  if (fresh) RETURN_IF_ERROR(impl_->Open());
  bool nothing_received = false;
  auto response = impl_->Exchange(head, body, &nothing_received);
  if (absl::IsUnavailable(response.status()) && nothing_received && !fresh) {
    // The server had closed the idle connection: the request was not read, so sending it again is safe.
    RETURN_IF_ERROR(impl_->Open());
    response = impl_->Exchange(head, body, &nothing_received);
  }
  if (!response.ok()) {
    boost::system::error_code ignored;
    impl_->socket.close(ignored);
  }
  return response;
}

}  // namespace bowerbird::server
