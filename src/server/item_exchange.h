#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "peer/peers.h"
#include "server/app_host.h"
#include "server/metrics.h"

namespace bowerbird::server {

/// Keeps each app's item tables whole on a node of several: asks every other node for what it counted in its
/// partitions, as often as said. What a node told last stays in effect while it is away.
///
/// Threads  a thread of its own between the constructor and Stop.
class ItemExchange {
 public:
  /// All of them outlive it.
  ItemExchange(AppHost* apps, peer::Peers* peers, Metrics* metrics, int64_t interval_us);
  ~ItemExchange() { Stop(); }
  /// Ends within ten seconds, should a node hang. Idempotent.
  void Stop();

 private:
  struct Known {
    uint64_t epoch = 0, change = 0;
    const void* app = nullptr;  ///< whose state has it: an app that was opened again has nothing
  };
  void Loop();
  void Ask(HostedApp* hosted, uint32_t node);

  AppHost* const apps_;
  peer::Peers* const peers_;
  const int64_t interval_us_;
  std::vector<prometheus::Counter*> failures_, items_;  ///< by node
  std::vector<prometheus::Gauge*> ages_;
  std::vector<int64_t> told_us_;
  std::map<std::pair<std::string, uint32_t>, Known> known_;
  absl::Notification stop_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace bowerbird::server
