#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace bowerbird::log {

/// Stands where a test puts it.
class ManualClock final : public base::Clock {
 public:
  int64_t NowUs() const override { return now_us_.load(); }
  void Set(int64_t now_us) { now_us_.store(now_us); }

 private:
  std::atomic<int64_t> now_us_{1'000'000};
};

}  // namespace bowerbird::log
