#include "server/job_queue.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/synchronization/notification.h"

namespace bowerbird::server {
namespace {

TEST(JobQueueTest, RunsInOrderAndEndsWhenEverythingHasRun) {
  std::vector<int> ran;
  {
    JobQueue queue(16);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(queue.Add([&ran, i] { ran.push_back(i); }));
  }
  EXPECT_EQ(ran, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(JobQueueTest, RefusesOneMoreThanMayWait) {
  absl::Notification started, go_on;
  size_t ran = 0;
  {
    JobQueue queue(16);
    ASSERT_TRUE(queue.Add([&] {
      started.Notify();
      go_on.WaitForNotification();
    }));
    started.WaitForNotification();
    for (size_t i = 0; i < queue.waiting_max(); ++i) ASSERT_TRUE(queue.Add([&] { ++ran; }));
    EXPECT_FALSE(queue.Add([&] { ++ran; }));
    go_on.Notify();
  }
  EXPECT_EQ(ran, 16u);
}

}  // namespace
}  // namespace bowerbird::server
