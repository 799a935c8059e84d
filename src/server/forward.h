#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bowerbird/v1/peer.pb.h"
#include "peer/peers.h"
#include "server/http.h"
#include "server/metrics.h"

namespace bowerbird::server {

/// How a request came that another node brought. What that node has found out about it (whose it is, what it may do,
/// what is left of its quota) is not asked again.
struct Forwarded {
  std::string app;
  std::string user;  ///< whose state answers; empty: nobody's
  v1::Acknowledged acknowledged;
  /// For the node that brought it: the user whom `user` has become, and what is acknowledged of that one here.
  std::string becomes;
  v1::Acknowledged becomes_acknowledged;
};

/// Brings requests about a user to the node that has the user's state. Where this is that node, or the only one, the
/// answer is made at once, or as soon as the user's last acknowledged event is in effect.
///
/// Threads  Bring and BringTo from any thread; SetPeers and ExportGauges as they say.
class Forwarder {
 public:
  explicit Forwarder(Metrics* metrics) : metrics_(metrics) {}
  /// This node is one of several. Before the first request; `peers` outlives them.
  void SetPeers(peer::Peers* peers, int64_t forward_us_max);
  bool alone() const { return peers_ == nullptr; }

  struct Asked {
    std::string user;
    int64_t timeout_us = 0;  ///< the request's own, from its last byte; 0: none
    /// Makes the answer for a user, whose state is here: `user`, or whom that id has become.
    std::function<void(const std::string& user)> answer;
    /// Makes the answer without the user's state, when its owner does not give one.
    std::function<void()> without_owner;
    /// Of a request about nobody: is called with how far the other node has applied the catalog, and calls `respond`
    /// when what was done there may be said here. Empty: at once.
    std::function<void(uint64_t catalog_offset, std::function<void()> respond)> settle;
  };
  void Bring(const std::shared_ptr<HttpRequest>& request, Asked asked, const Responder& respond);
  /// Brings a request about nobody to node `owner`. asked.user is not used.
  void BringTo(uint32_t owner, const std::shared_ptr<HttpRequest>& request, Asked asked, const Responder& respond);
  /// Any thread.
  void ExportGauges();

 private:
  struct Course;
  struct PeerMetrics {
    std::array<prometheus::Counter*, peer::kOutcomes> outcomes;
    prometheus::Histogram* seconds;
    prometheus::Gauge *up, *in_flight;
  };
  void Go(const std::shared_ptr<Course>& course, const std::string& user);
  void Answer(const std::shared_ptr<Course>& course, const std::string& user);
  void Send(const std::shared_ptr<Course>& course, uint32_t owner, const std::string& user);
  void Received(const std::shared_ptr<Course>& course, const std::string& user, v1::ForwardResponse response);
  void WithoutOwner(const std::shared_ptr<Course>& course);

  Metrics* const metrics_;
  peer::Peers* peers_ = nullptr;
  int64_t forward_us_max_ = 0;
  std::vector<PeerMetrics> peer_metrics_;
  prometheus::Counter* without_owner_ = nullptr;
};

}  // namespace bowerbird::server
