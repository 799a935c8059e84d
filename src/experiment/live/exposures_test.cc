#include "experiment/live/exposures.h"

#include <gtest/gtest.h>

#include <string>

#include "state/memory_log_for_test.h"

namespace bowerbird::experiment::live {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;

v1::Exposure Of(const std::string& user, const std::string& arm = "control", int64_t time_us = 5) {
  v1::Exposure exposure;
  exposure.set_experiment("a");
  exposure.set_arm(arm);
  exposure.set_unit("user");
  exposure.set_unit_id(user);
  exposure.set_user(user);
  exposure.set_time_us(time_us);
  return exposure;
}

TEST(ExposuresTest, OnceAUnitArmAndDay) {
  state::MemoryLog log(4);
  Exposures exposures(&log);
  EXPECT_TRUE(exposures.Write(Of("ann"), 1));
  EXPECT_FALSE(exposures.Write(Of("ann", "control", 7), 1));
  EXPECT_TRUE(exposures.Write(Of("ben"), 1));
  EXPECT_TRUE(exposures.Write(Of("ann", "treatment"), 1));
  EXPECT_TRUE(exposures.Write(Of("ann", "control", kDayUs), 1));
  EXPECT_EQ(exposures.written(), 4u);
  const auto read = log.Read(log::Topic::kExposures, 1, 0, 10, 1 << 20);
  ASSERT_EQ(read->records.size(), 4u);
  EXPECT_EQ(read->records[0].key, "ann");
  v1::Exposure first;
  ASSERT_TRUE(first.ParseFromString(read->records[0].value));
  EXPECT_EQ(first.time_us(), 5);
}

TEST(ExposuresTest, RemembersWithinItsBound) {
  state::MemoryLog log(1);
  Exposures exposures(&log);
  log.appends_fail = true;
  const size_t half = Exposures::kRememberedMax / 2;
  for (size_t i = 0; i < half + half / 2; ++i) exposures.Write(Of(std::to_string(i)), 0);
  EXPECT_EQ(exposures.failed(), half + half / 2);
  // Both tables are looked at.
  EXPECT_FALSE(exposures.Write(Of("0"), 0));
  EXPECT_FALSE(exposures.Write(Of(std::to_string(half + 1)), 0));
  for (size_t i = 0; i < half; ++i) exposures.Write(Of("later " + std::to_string(i)), 0);
  EXPECT_TRUE(exposures.Write(Of("0"), 0)) << "forgotten, and so written again";
}

}  // namespace
}  // namespace bowerbird::experiment::live
