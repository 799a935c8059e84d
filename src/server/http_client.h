#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/http.h"

namespace bowerbird::server {

/// A blocking HTTP/1.1 client with one kept-alive connection, made again when the server closed it: for the command
/// line talking to a running server, for simulated users and for benchmarks.
///
/// Threads  one thread at a time.
/// Errors   Unavailable: nobody answers there, or the connection broke; DeadlineExceeded. An HTTP error is an answer,
/// not an error.
class HttpClient {
 public:
  /// `address` is "127.0.0.1:8080" or "unix:/path/to/socket".
  static absl::StatusOr<HttpClient> Connect(const std::string& address, int64_t timeout_us);
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();
  /// A body is JSON unless `headers` name its Content-Type.
  absl::StatusOr<HttpResponse> Call(std::string_view method, std::string_view target, std::string_view body,
                                    const std::vector<std::pair<std::string, std::string>>& headers = {});

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bowerbird::server
