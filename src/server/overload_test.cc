#include "server/overload.h"

#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::server {
namespace {

using serve::Effort;

/// A server whose requests wait `wait(now)` for their turn; time goes in steps of a millisecond.
struct OverloadTest : testing::Test {
  Metrics metrics;
  Overload overload{&metrics};
  base::Rng rng{1};
  int64_t now_us = 1'000'000;

  Overload::Decision Ask(int64_t waited_us, Priority priority = Priority::kNormal, int64_t timeout_us = 0) {
    now_us += 1000;
    return overload.Decide({waited_us, timeout_us, priority}, now_us, rng.Uniform());
  }
  void Wait(int64_t waited_us, int requests) {
    for (int i = 0; i < requests; ++i) Ask(waited_us);
  }
};

TEST_F(OverloadTest, NothingIsDegradedWhileNobodyWaitsLong) {
  for (int i = 0; i < 1000; ++i) {
    // One in ten waits long: a moment's crowd.
    const Overload::Decision decision = Ask(i % 10 == 0 ? 200'000 : 5'000);
    ASSERT_EQ(decision.effort, Effort::kFull);
    ASSERT_EQ(decision.refusal, Overload::Refusal::kNone);
  }
}

TEST_F(OverloadTest, StepsComeInOrderAndGoAgain) {
  double before = 0;
  int step_seen = 0;
  for (int i = 0; i < 5000 && overload.pressure() < 4; ++i) {
    const Overload::Decision decision = Ask(60'000);
    EXPECT_GE(overload.pressure(), before);
    EXPECT_LE(overload.pressure() - before, .5);
    before = overload.pressure();
    const int step = decision.refusal == Overload::Refusal::kOverloaded ? 4 : static_cast<int>(decision.effort);
    EXPECT_LE(step, step_seen + 1) << "a step was left out";
    step_seen = std::max(step_seen, step);
  }
  EXPECT_EQ(step_seen, 4);
  Wait(1'000, 10'000);
  EXPECT_EQ(overload.pressure(), 0);
  EXPECT_EQ(Ask(1'000).effort, Effort::kFull);
}

TEST_F(OverloadTest, PressureIsGoneAfterAQuietTime) {
  Wait(60'000, 2000);
  ASSERT_GT(overload.pressure(), 1);
  now_us += 60'000'000;
  Ask(0);
  EXPECT_EQ(overload.pressure(), 0);
}

TEST_F(OverloadTest, LowPriorityGoesFirstAndHighLast) {
  while (overload.pressure() < 3.2) Ask(60'000);
  int low = 0, high = 0;
  for (int i = 0; i < 200; ++i) {
    now_us -= 1000;  // pressure stays
    low += Ask(20'000, Priority::kLow).refusal == Overload::Refusal::kOverloaded ? 1 : 0;
    now_us -= 1000;
    high += Ask(20'000, Priority::kHigh).refusal == Overload::Refusal::kOverloaded ? 1 : 0;
  }
  EXPECT_EQ(low, 200);
  EXPECT_EQ(high, 0);
}

TEST_F(OverloadTest, DeadlinesAreKeptOrRefused) {
  for (int i = 0; i < 100; ++i) overload.Answered(Effort::kFull, 4'000);
  EXPECT_EQ(Ask(20'000, Priority::kNormal, 20'000).refusal, Overload::Refusal::kTooLate);
  EXPECT_EQ(Ask(1'000, Priority::kNormal, 3'000).effort, Effort::kPopular);
  EXPECT_EQ(Ask(1'000, Priority::kNormal, 7'000).effort, Effort::kFewer);
  EXPECT_EQ(Ask(1'000, Priority::kNormal, 50'000).effort, Effort::kFull);
}

TEST(PriorityTest, Names) {
  EXPECT_EQ(ParsePriority(""), Priority::kNormal);
  EXPECT_EQ(ParsePriority("high"), Priority::kHigh);
  EXPECT_EQ(ParsePriority("low"), Priority::kLow);
  EXPECT_EQ(ParsePriority("urgent"), std::nullopt);
}

}  // namespace
}  // namespace bowerbird::server
