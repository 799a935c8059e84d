#pragma once

#include <prometheus/counter.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "serve/pipeline.h"
#include "server/metrics.h"

namespace bowerbird::server {

enum class Priority : uint8_t { kLow, kNormal, kHigh };
/// "low", "normal", "high", or empty for normal; nothing for another text.
std::optional<Priority> ParsePriority(std::string_view text);

/// Decides how much work answers may be, so that a server that is asked for more than it can do goes on answering.
///
/// What it watches is how long requests wait for their turn: as long as that is over kTargetUs, pressure rises, and
/// falls again when it is under half of it. Pressure goes through these steps, each for a growing share of requests, so
/// that neither load nor quality jumps; requests of low priority are one step ahead, those of high one behind:
///
///   1  fewer generators
///   2  what is popular for those of whom nothing is known; fewer generators for the others
///   3  what is popular for everyone
///   4  refused
///
/// A request with a deadline that its wait has used up is refused, and one that a full answer would bring over it gets
/// less effort, whatever the pressure.
///
/// Threads  any.
class Overload {
 public:
  static constexpr int64_t kTargetUs = 15'000;

  explicit Overload(Metrics* metrics);

  struct Request {
    int64_t waited_us = 0;   ///< from its last byte to its turn
    int64_t timeout_us = 0;  ///< from its last byte; 0: none
    Priority priority = Priority::kNormal;
  };
  enum class Refusal : uint8_t { kNone, kOverloaded, kTooLate };
  struct Decision {
    Refusal refusal = Refusal::kNone;
    serve::Effort effort = serve::Effort::kFull;
  };
  /// `now_us` is monotonic; `draw` is uniform in [0, 1).
  Decision Decide(const Request& request, int64_t now_us, double draw);
  /// What a full answer took.
  void Answered(serve::Effort effort, int64_t took_us);

  /// In steps, from 0.
  double pressure() const { return pressure_; }

 private:
  void Adjust(int64_t waited_us, int64_t now_us);

  std::atomic<double> pressure_ = 0;
  std::atomic<int64_t> next_adjustment_us_ = 0;
  /// Of the time since the last adjustment: requests, and the shortest wait. A moment's crowd is no overload.
  std::atomic<uint32_t> asked_ = 0;
  std::atomic<int64_t> least_waited_us_ = INT64_MAX;
  std::atomic<int64_t> full_us_ = 0;  ///< what full answers take, smoothed
  prometheus::Gauge* const pressure_gauge_;
  prometheus::Counter *fewer_, *popular_, *overloaded_, *too_late_;
};

}  // namespace bowerbird::server
