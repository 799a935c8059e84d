#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace bowerbird::server {

/// Lets `per_second` units through on average, and one second's worth at once after a pause. Whoever comes while there
/// is anything left is let through whole, however much it takes; what it took beyond is waited for by those after it.
///
/// Threads  any; one atomic exchange a call.
/// Source   the generic cell rate algorithm: the one number kept is the time at which everything taken is paid back.
class TokenBucket {
 public:
  /// 0 or less: no bound.
  explicit TokenBucket(double per_second) : per_second_(per_second) {}

  /// Microseconds of CLOCK_MONOTONIC after `now_us` at which there is something left again; 0: now.
  int64_t WaitUs(int64_t now_us) const {
    if (per_second_ <= 0) return 0;
    return std::max<int64_t>(0, paid_back_us_.load() - now_us - kBurstUs + 1);
  }
  /// Takes `units`, whether or not they are there.
  void Take(double units, int64_t now_us) {
    if (per_second_ <= 0) return;
    const auto cost_us = static_cast<int64_t>(units * 1e6 / per_second_);
    int64_t was_us = paid_back_us_.load();
    while (!paid_back_us_.compare_exchange_weak(was_us, std::max(was_us, now_us) + cost_us)) {
    }
  }
  double per_second() const { return per_second_; }

 private:
  static constexpr int64_t kBurstUs = 1'000'000;
  const double per_second_;
  std::atomic<int64_t> paid_back_us_ = 0;
};

}  // namespace bowerbird::server
