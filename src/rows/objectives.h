#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/string_map.h"
#include "bowerbird/v1/event.pb.h"
#include "config/config.h"
#include "config/objectives.h"
#include "signal/event_field.h"

namespace bowerbird::rows {

/// The objectives of a config, ready to be asked of events.
///
/// Threads  immutable.
class Objectives {
 public:
  static constexpr size_t kMax = 64;  ///< a set of them is a word

  /// At most kMax of them, each with its types declared.
  Objectives(const config::Config& config, std::vector<config::EventObjective> objectives);

  size_t size() const { return all_.size(); }
  const config::EventObjective& operator[](size_t index) const { return all_[index]; }
  int64_t window_us_max() const { return window_us_max_; }
  /// Bit i: the event is what objective i is about. `time_us` is its time within bounds, `strength` what it counts.
  uint64_t Matching(const v1::Event& event, int64_t time_us, double strength) const;

 private:
  std::vector<config::EventObjective> all_;
  std::vector<std::vector<signal::EventField>> where_fields_;  ///< by objective
  base::StringMap<std::vector<uint32_t>> by_type_;
  int64_t window_us_max_ = 0;
};

}  // namespace bowerbird::rows
