#pragma once

#include <cstdint>

namespace bowerbird::base {

/// Where time comes from. Handed in everywhere, so that the whole engine runs under a simulated clock.
///
/// Units    microseconds since the Unix epoch, UTC.
/// Threads  implementations are safe to call from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t NowUs() const = 0;
};

/// The machine's wall clock. May jump; users of differences clamp at zero.
class SystemClock final : public Clock {
 public:
  int64_t NowUs() const override;
  /// One shared instance, never destroyed.
  static const SystemClock& Get();
};

/// A monotonic reading for durations, microseconds from an arbitrary start.
int64_t MonotonicUs();

}  // namespace bowerbird::base
