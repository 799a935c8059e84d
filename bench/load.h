#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace bowerbird::bench {

struct Load {
  uint16_t port = 0;  ///< on 127.0.0.1
  std::string method = "POST";
  std::string target;
  uint32_t connections = 32;
  double seconds = 10;
  /// The body of the connection's i-th request. Called from the generator's thread.
  std::function<std::string(uint32_t connection, uint64_t i)> body_of = [](uint32_t, uint64_t) {
    return std::string();
  };
  /// The target of the connection's i-th request, where they differ; called likewise. Empty: `target`.
  std::function<std::string(uint32_t connection, uint64_t i)> target_of;
  std::string headers;  ///< further lines, each ended by "\r\n"
  /// Requests a second of all connections together; each then has its time, and its latency counts from there, sent
  /// late or not. 0: a closed loop, in which a connection sends the next request when the last was answered.
  double rate = 0;
  int64_t in_time_us = std::numeric_limits<int64_t>::max();
};

struct LoadReport {
  uint64_t requests = 0;  ///< answered
  uint64_t errors = 0;    ///< of these, with a status other than 200; and connections that broke
  uint64_t in_time = 0;   ///< with 200, within Load::in_time_us
  /// Of these, those whose body says that they were made with less effort.
  uint64_t fewer = 0, popular = 0;
  double seconds = 0;
  std::vector<int64_t> latencies_us;  ///< sorted
  double PercentileMs(double share) const;
  double PerSecond() const { return static_cast<double>(requests - errors) / seconds; }
};

/// Drives kept-alive connections from one thread (epoll): on the same cores as the server, a thread a connection would
/// measure the scheduler.
LoadReport RunLoad(const Load& load);

}  // namespace bowerbird::bench
