#include "experiment/live/definitions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "experiment/assignment/experiment_for_test.h"
#include "state/memory_log_for_test.h"

namespace bowerbird::experiment::live {
namespace {

using assignment::Draft;

TEST(DefinitionsTest, TheLastRecordOfEachCounts) {
  state::MemoryLog log(4);
  Definitions one(&log, nullptr), other(&log, nullptr);
  ASSERT_TRUE(one.Write(Draft("b")).ok());
  ASSERT_TRUE(one.Write(Draft("a")).ok());
  v1::Experiment changed = Draft("b");
  changed.set_description("changed");
  ASSERT_TRUE(one.Write(changed).ok());
  ASSERT_TRUE(one.Remove("a").ok());
  // Another node, or this one after a restart.
  EXPECT_TRUE(other.All().empty());
  EXPECT_TRUE(*other.Follow());
  EXPECT_FALSE(*other.Follow());
  for (const Definitions* each : {&one, &other}) {
    ASSERT_EQ(each->All().size(), 1u);
    EXPECT_EQ(each->Find("b")->description(), "changed");
    EXPECT_FALSE(each->Find("a").has_value());
  }
}

TEST(DefinitionsTest, ARecordThatCannotBeReadIsToldAndLeftOut) {
  state::MemoryLog log(4);
  ASSERT_TRUE(log.Append({{log::Topic::kExperiments, 0, "a", "no proto"},
                          {log::Topic::kExperiments, 0, "b", Draft("c").SerializeAsString()},
                          {log::Topic::kExperiments, 0, "d", Draft("d").SerializeAsString()}})
                  .ok());
  std::vector<std::string> warnings;
  Definitions definitions(&log, [&](const std::string& warning) { warnings.push_back(warning); });
  EXPECT_TRUE(*definitions.Follow());
  EXPECT_EQ(definitions.All().size(), 1u);
  EXPECT_EQ(warnings.size(), 2u);
}

TEST(DefinitionsTest, WhatTheLogDoesNotTakeIsNotInForce) {
  state::MemoryLog log(4);
  Definitions definitions(&log, nullptr);
  log.appends_fail = true;
  EXPECT_TRUE(absl::IsUnavailable(definitions.Write(Draft("a"))));
  EXPECT_TRUE(definitions.All().empty());
}

}  // namespace
}  // namespace bowerbird::experiment::live
