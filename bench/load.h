#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "server/http_client.h"

namespace bowerbird::bench {

/// What a closed loop of connections did.
struct LoadReport {
  uint64_t requests = 0, errors = 0;
  double seconds = 0;
  std::vector<int64_t> latencies_us;  ///< sorted
  double PercentileMs(double share) const {
    if (latencies_us.empty()) return 0;
    const auto at = static_cast<size_t>(share * static_cast<double>(latencies_us.size() - 1));
    return static_cast<double>(latencies_us[at]) * 1e-3;
  }
};

/// `connections` threads, each sending the next request when the last was answered, for `seconds`. `body_of(connection,
/// i)` makes the body of the connection's i-th request; a status other than 200 is an error.
inline LoadReport RunLoad(uint16_t port, const std::string& target, uint32_t connections, double seconds,
                          const std::function<std::string(uint32_t, uint64_t)>& body_of,
                          const std::vector<std::pair<std::string, std::string>>& headers = {}) {
  std::vector<LoadReport> reports(connections);
  std::vector<std::thread> threads;
  const int64_t start_us = base::MonotonicUs();
  const int64_t end_us = start_us + static_cast<int64_t>(seconds * 1e6);
  for (uint32_t c = 0; c < connections; ++c) {
    threads.emplace_back([&, c] {
      LoadReport& report = reports[c];
      auto client = server::HttpClient::Connect("127.0.0.1:" + std::to_string(port), 30'000'000);
      if (!client.ok()) {
        ++report.errors;
        return;
      }
      for (uint64_t i = 0; base::MonotonicUs() < end_us; ++i) {
        const std::string body = body_of(c, i);
        const int64_t sent_us = base::MonotonicUs();
        const auto answer = client->Call("POST", target, body, headers);
        report.latencies_us.push_back(base::MonotonicUs() - sent_us);
        ++report.requests;
        if (!answer.ok() || answer->status != 200) ++report.errors;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  LoadReport total;
  total.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  for (LoadReport& report : reports) {
    total.requests += report.requests;
    total.errors += report.errors;
    total.latencies_us.insert(total.latencies_us.end(), report.latencies_us.begin(), report.latencies_us.end());
  }
  std::sort(total.latencies_us.begin(), total.latencies_us.end());
  return total;
}

}  // namespace bowerbird::bench
