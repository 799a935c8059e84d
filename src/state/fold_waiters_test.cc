#include "state/fold_waiters.h"

#include <array>
#include <atomic>
#include <thread>

#include "base/clock.h"
#include "gtest/gtest.h"
#include "state/events_for_test.h"

namespace bowerbird::state {
namespace {

class FoldWaitersTest : public testing::Test {
 protected:
  void Advance(uint32_t partition, log::Offset to) {
    folded_[partition] = to;
    waiters_.Advanced(partition);
  }
  std::array<std::atomic<log::Offset>, 2> folded_ = {};
  FoldWaiters waiters_{2, [this](uint32_t partition) { return folded_[partition].load(); }};
};

TEST_F(FoldWaitersTest, AnswersAtOnceWhatIsFoldedAndWhatCannotWait) {
  folded_[1] = 5;
  int answers = 0;
  waiters_.Wait(1, 4, 1'000'000, [&](bool folded) { answers += folded ? 1 : 100; });
  waiters_.Wait(1, 5, 0, [&](bool folded) { answers += folded ? 100 : 10; });
  EXPECT_EQ(answers, 11);
}

TEST_F(FoldWaitersTest, AnswersWhenTheOffsetIsPassed) {
  std::atomic<int> answers = 0;
  for (const log::Offset offset : {3, 7, 7, 9}) {
    waiters_.Wait(0, offset, 60'000'000, [&](bool folded) { answers += folded ? 1 : 100; });
  }
  waiters_.Wait(1, 0, 60'000'000, [&](bool) { answers += 1000; });
  Advance(0, 3);
  EXPECT_EQ(answers, 0);
  Advance(0, 8);
  EXPECT_EQ(answers, 3);
  Advance(0, 10);
  EXPECT_EQ(answers, 4);
  Advance(1, 1);
  EXPECT_EQ(answers, 1004);
}

TEST_F(FoldWaitersTest, AnswersFalseAtTheDeadlineAndNotAgainLater) {
  std::atomic<int> answers = 0;
  Signal answered;
  const int64_t start_us = base::MonotonicUs();
  waiters_.Wait(0, 1, 10'000'000, [&](bool) { ++answers; });
  waiters_.Wait(0, 1, 20'000, [&](bool folded) {
    answers += folded ? 100 : 10;
    answered.Notify();
  });
  answered.Wait();
  EXPECT_GE(base::MonotonicUs() - start_us, 20'000);
  EXPECT_LT(base::MonotonicUs() - start_us, 2'000'000);
  EXPECT_EQ(answers, 10);
  Advance(0, 2);
  EXPECT_EQ(answers, 11);
}

TEST_F(FoldWaitersTest, StopAnswersAllOnce) {
  std::atomic<int> answers = 0;
  for (int i = 0; i < 5; ++i) waiters_.Wait(0, 1, 60'000'000, [&](bool folded) { answers += folded ? 100 : 1; });
  waiters_.Stop();
  EXPECT_EQ(answers, 5);
  waiters_.Wait(0, 1, 60'000'000, [&](bool folded) { answers += folded ? 100 : 1; });
  EXPECT_EQ(answers, 6);
  waiters_.Stop();
}

TEST_F(FoldWaitersTest, NobodyIsMissedOrAnsweredTwiceUnderLoad) {
  constexpr int kWaits = 5000;
  std::atomic<int> yes = 0, no = 0;
  std::thread folder([&] {
    for (log::Offset offset = 1; offset <= kWaits; ++offset) Advance(0, offset);
  });
  for (int i = 0; i < kWaits; ++i) {
    waiters_.Wait(0, static_cast<log::Offset>(i), i % 3 == 0 ? 1 : 10'000'000,
                  [&](bool folded) { ++(folded ? yes : no); });
  }
  folder.join();
  for (int i = 0; i < 1000 && yes + no < kWaits; ++i) SleepMs(1);
  EXPECT_EQ(yes + no, kWaits);
  EXPECT_LE(no, kWaits / 3 + 1);
}

}  // namespace
}  // namespace bowerbird::state
