#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/http.h"
#include "server/tls.h"

namespace bowerbird::server {

/// HTTP/1.1 over TCP and, beside it, over a socket in the file system. Coroutines on one event loop a thread
/// (Boost.Beast).
///
/// Threads  Start, Drain and the destructor from one thread; the handler runs on the server's threads.
/// Bounds   header and body sizes, connections, idle and request times as configured; a client beyond them gets a
/// problem document
///          or is closed, and costs no memory.
/// Cost     bench_serve states requests/s beside the bare loop.
class HttpServer {
 public:
  struct Options {
    std::string listen = "127.0.0.1";
    uint16_t port = 0;        ///< 0: any free one, see port()
    std::string socket_path;  ///< empty: none. Mode 0600; replaced if it is there.
    /// TCP is served with these, and not without; null: plain. The socket in the file system is always plain.
    std::shared_ptr<const TlsCredentials> tls;
    uint32_t threads = 2;
    uint32_t header_bytes_max = 16 * 1024;
    /// Asked at each request, by any thread of the server: apps with other bounds come and go.
    std::function<uint64_t()> body_bytes_max = [] { return uint64_t{8u << 20}; };
    uint32_t connections_max = 4096;
    int64_t idle_us_max = 60'000'000;     ///< between requests
    int64_t receive_us_max = 30'000'000;  ///< to send one request whole
  };
  /// Unavailable: the address cannot be bound, named with the reason.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const Options& options, Handler handler);
  virtual ~HttpServer() = default;
  virtual uint16_t port() const = 0;
  /// Of the connections that begin from now on. Only for a server that was started with some.
  virtual void SetTls(std::shared_ptr<const TlsCredentials> tls) = 0;
  /// Runs `work` on one of the server's threads, in turn; nothing after Drain.
  virtual void Post(std::function<void()> work) = 0;
  virtual uint64_t connections() const = 0;
  virtual uint64_t connections_refused() const = 0;
  /// Stops accepting, lets requests in flight finish for at most `timeout_us`, closes everything, and joins the
  /// threads. Idempotent. False: some request was cut off.
  virtual bool Drain(int64_t timeout_us) = 0;
};

}  // namespace bowerbird::server
