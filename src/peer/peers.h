#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bowerbird/v1/peer.pb.h"

namespace bowerbird::peer {

/// What became of a request to another node.
enum class Outcome : uint8_t {
  kAnswered,
  kDown,    ///< the node was known to be away: nothing was sent
  kBusy,    ///< too many requests to it are under way: nothing was sent
  kLate,    ///< no answer in time
  kFailed,  ///< it refused, or the connection broke
};
inline constexpr size_t kOutcomes = 5;
std::string_view OutcomeName(Outcome outcome);  ///< "answered", "down", "busy", "late", "failed"

/// The other nodes of a cluster: whether each answers, and requests to it.
///
/// A node counts as up from a ping that it answered as one of this cluster until a ping, or a request, finds it away.
/// A request to a node that is not up fails at once; whoever asked has better to do than wait.
///
/// Threads  every member from any thread; Stop and the destructor from one.
/// Bounds   one connection a node; in_flight_max requests on each; every request has a deadline.
class Peers {
 public:
  struct Options {
    std::vector<std::string> addresses;  ///< "host:port" by node; that of `self` is not used
    uint32_t self = 0;
    std::string key;     ///< API key to show; may be empty
    std::string ca_pem;  ///< authority of the others' certificates; empty: no TLS
    int64_t ping_us = 500'000;
    uint32_t in_flight_max = 256;
    uint64_t message_bytes_max = 8u << 20;
    /// Whether what a node said of itself fits this cluster. From any thread.
    std::function<absl::Status(uint32_t node, const v1::PingResponse&)> fits;
    /// Told when a node goes, why, and when it comes. From any thread.
    std::function<void(uint32_t node, const absl::Status& status)> changed;
  };
  /// Begins to ping.
  static std::unique_ptr<Peers> Start(Options options);
  /// Stops.
  virtual ~Peers() = default;

  virtual bool up(uint32_t node) const = 0;
  virtual uint32_t in_flight(uint32_t node) const = 0;
  uint32_t self() const { return self_; }
  uint32_t size() const { return size_; }

  /// Sends a request; `done` is called once, on this thread when nothing was sent, else on gRPC's: it must not block.
  /// The response is of use where it was answered, and `status` says why it was not.
  using Done = std::function<void(Outcome outcome, const absl::Status& status, v1::ForwardResponse response)>;
  virtual void Forward(uint32_t node, v1::ForwardRequest request, int64_t timeout_us, Done done) = 0;
  /// What a node counted of items, part by part; blocks until the last one or for `timeout_us`. False from `part` ends
  /// it as Cancelled.
  virtual absl::Status ItemCounts(uint32_t node, const v1::ItemCountsRequest& request, int64_t timeout_us,
                                  const std::function<bool(const v1::ItemCountsPart& part)>& part) = 0;
  /// Every request fails as kDown from now on; returns when those under way are done. Idempotent.
  virtual void Stop() = 0;

 protected:
  Peers(uint32_t self, uint32_t size) : self_(self), size_(size) {}

 private:
  const uint32_t self_, size_;
};

}  // namespace bowerbird::peer
