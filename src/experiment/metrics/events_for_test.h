#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bowerbird/v1/event.pb.h"
#include "bowerbird/v1/experiment.pb.h"

namespace bowerbird::experiment::metrics {

inline constexpr int64_t kTestDayUs = 86'400'000'000;
inline constexpr int64_t kTestBeginUs = 20'458 * kTestDayUs + 3'600'000'000;  // 2026-01-05, one in the morning
inline constexpr int64_t kTestEndUs = kTestBeginUs + 8 * kTestDayUs + 1'800'000'000;

/// Experiment "buttons": arms control, green, blue; running from kTestBeginUs.
v1::Experiment TestExperiment();
/// Of some metrics of each kind.
std::string TestConfigText();

struct TestEvent {
  v1::Event event;
  uint64_t order = 0;  ///< in the log
};

/// Some hundred users around the experiment, with everything that goes wrong in the field: events that come late,
/// twice, with a wrong clock, by programs; ids that become users; testers; users of two arms, of none, of no user.
struct TestWorld {
  std::vector<TestEvent> events;
  std::vector<v1::Exposure> exposures;
  std::map<std::string, std::string> becomes;
  std::set<std::string> marked, unmarked;
};
TestWorld MakeTestWorld(uint64_t seed);

/// As the log does: never 0.
uint64_t TestKey(const std::string& user);

}  // namespace bowerbird::experiment::metrics
