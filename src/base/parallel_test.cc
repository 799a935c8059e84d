#include "base/parallel.h"

#include <atomic>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::base {
namespace {

TEST(ParallelForTest, RunsEveryTaskOnceWhateverTheThreadCount) {
  for (uint32_t threads : {0u, 1u, 2u, 7u}) {
    std::vector<int> runs(100, 0);
    ParallelFor(threads, runs.size(), [&](size_t task, uint32_t) { ++runs[task]; });
    EXPECT_THAT(runs, testing::Each(1)) << threads << " threads";
  }
}

TEST(ParallelForTest, NoTwoCallsShareAThreadNumberAtOnce) {
  std::vector<std::atomic<int>> busy(4);
  ParallelFor(4, 200, [&](size_t, uint32_t thread) {
    ASSERT_LT(thread, 4u);
    EXPECT_EQ(busy[thread].fetch_add(1), 0);
    busy[thread].fetch_sub(1);
  });
}

TEST(ParallelForTest, NothingToDoIsFine) {
  ParallelFor(3, 0, [](size_t, uint32_t) { FAIL(); });
}

}  // namespace
}  // namespace bowerbird::base
