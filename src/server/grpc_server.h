#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "config/tls_files.h"
#include "server/api.h"

namespace bowerbird::server {

/// What services ask over gRPC: bowerbird.v1.Intake takes events, bowerbird.v1.UserUnderstanding gives profiles, under
/// the keys, limits and metrics of the HTTP API. In a cluster bowerbird.v1.Peers beside them, for the other nodes.
///
/// Threads  Start, Drain and the destructor from one thread; calls are answered on gRPC's threads and the log's.
/// Bounds   kMemoryBytes of messages being read; compressed messages are refused; one message at most
/// `message_bytes_max`; kBatchesMax batches of a stream under way, then the client waits.
class GrpcServer {
 public:
  static constexpr uint32_t kBatchesMax = 16;
  static constexpr unsigned kTlsAgeS = 10;
  static constexpr uint32_t kStreamsMax = 100;  ///< of a connection
  static constexpr int kIdleMsMax = 300'000;    ///< a connection without a stream is closed after it
  static constexpr size_t kMemoryBytes = size_t{256} << 20;
  struct Options {
    std::string listen = "127.0.0.1";
    uint16_t port = 0;  ///< 0: any free one, see port()
    uint64_t message_bytes_max = 8u << 20;
    /// Runs work where requests are answered.
    std::function<void(std::function<void()>)> post = [](const std::function<void()>& work) { work(); };
    bool peers = false;             ///< a node of several: the others are answered
    uint32_t peer_streams_max = 0;  ///< requests of another node under way at once, beside kStreamsMax
    config::TlsFiles tls;           ///< full paths; read again within kTlsAgeS of a change. Empty: without TLS
  };
  /// `api` outlives it. Unavailable: the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Options& options, Api* api);
  virtual ~GrpcServer() = default;
  virtual uint16_t port() const = 0;
  /// Takes no new call, lets those under way end for at most `timeout_us`, then cancels them. Idempotent.
  virtual void Drain(int64_t timeout_us) = 0;
};

}  // namespace bowerbird::server
