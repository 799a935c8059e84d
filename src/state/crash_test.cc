#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "gtest/gtest.h"
#include "log/rocks_log.h"
#include "state/events_for_test.h"
#include "state/state.h"

namespace bowerbird::state {
namespace {

constexpr uint32_t kPartitions = 4;
constexpr char kFolderVariable[] = "BOWERBIRD_STATE_CRASH_FOLDER";

std::unique_ptr<log::RocksLog> OpenLog(const std::string& folder) {
  log::RocksLogOptions options;
  options.user_partitions = kPartitions;
  auto log = log::RocksLog::Open(folder + "/log", options);
  EXPECT_TRUE(log.ok()) << log.status();
  return log.ok() ? *std::move(log) : nullptr;
}

/// Small buffers and intervals, so that every kind of write is under way whenever the process dies.
std::shared_ptr<const config::Config> CrashConfig() {
  config::Config config = TestConfig();
  config.state.cache_bytes = 2 << 20;
  config.state.flush_interval_us = 2'000;
  config.state.item_table_interval_us = 5'000;
  return std::make_shared<config::Config>(config);
}

std::string FlushedMark(const std::string& folder) { return folder + "/flushed"; }

// Run by StateCrashTest in a process of its own: folds what is appended meanwhile, and flushes, until it is killed.
TEST(StateCrashChild, DISABLED_FoldsUntilKilled) {
  const char* folder = std::getenv(kFolderVariable);
  if (folder == nullptr) GTEST_SKIP() << "run by StateCrashTest";
  const auto log = OpenLog(folder);
  State::Options options;
  options.threads = 2;
  auto state =
      State::Open(std::string(folder) + "/state", CrashConfig(), log.get(), &base::SystemClock::Get(), options);
  ASSERT_TRUE(state.ok()) << state.status();
  (*state)->Start();
  std::thread flusher([&] {
    while (true) {
      // The parent lets a little more time pass from the first durable flush on, however slow the machine is.
      if ((*state)->Flush().ok() && (*state)->counters().folded > 0) std::ofstream(FlushedMark(folder)).put('x');
      SleepMs(7);
    }
  });
  const auto seed = static_cast<uint64_t>(log->EndOffset(log::Topic::kEvents, 0).value_or(0)) + 1;
  RandomEvents events(seed, 300, 400);
  // Now and then one of the users turns out to be another, so that processes die between what that hands over and the
  // offsets that it follows from.
  base::Rng rng(seed);
  while (true) {
    AppendRandom(&events, 200, log.get());
    const std::string anonymous = fmt::format("user{}", 1 + rng.Below(299));
    const std::string user = fmt::format("account{}", rng.Below(40));
    (void)log->Append(IdentifyRecords(anonymous, user, "", events.now_us(), kPartitions));
  }
}

TEST(StateCrashTest, AKilledProcessLeavesStateAndOffsetsOfOneMoment) {
  const TempFolder temp("state_crash_test");
  const std::string folder = temp / "data";
  std::filesystem::create_directories(folder);
  const auto config = CrashConfig();
  base::Rng rng(1);
  uint64_t folded_before = 0, caught_up_in_all = 0;
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE(round);
    std::filesystem::remove(FlushedMark(folder));
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      setenv(kFolderVariable, folder.c_str(), 1);
      execl("/proc/self/exe", "state_test", "--gtest_also_run_disabled_tests",
            "--gtest_filter=StateCrashChild.DISABLED_FoldsUntilKilled", "--gtest_brief=1", nullptr);
      _exit(1);
    }
    for (int i = 0; i < 6000 && !std::filesystem::exists(FlushedMark(folder)); ++i) SleepMs(10);
    SleepMs(rng.Below(300));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";

    const auto log = OpenLog(folder);
    ASSERT_NE(log, nullptr);
    // What is on disk is the fold of a prefix of the log.
    const auto found =
        VerifyByReplay(folder + "/state", folder + "/scratch", config, log.get(), &base::SystemClock::Get());
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->difference_count, 0u) << testing::PrintToString(found->differences);
    EXPECT_GE(found->events, folded_before);

    // And the rest follows, once.
    State::Options options;
    auto state = State::Open(folder + "/state", config, log.get(), &base::SystemClock::Get(), options);
    ASSERT_TRUE(state.ok()) << state.status();
    ASSERT_TRUE((*state)->CatchUp().ok());
    caught_up_in_all += (*state)->counters().folded;
    ASSERT_TRUE((*state)->Flush().ok());
    *state = nullptr;
    const auto whole =
        VerifyByReplay(folder + "/state", folder + "/scratch", config, log.get(), &base::SystemClock::Get());
    ASSERT_TRUE(whole.ok()) << whole.status();
    EXPECT_EQ(whole->difference_count, 0u) << testing::PrintToString(whole->differences);
    folded_before = whole->events;
  }
  EXPECT_GT(folded_before, 0u);
  EXPECT_GT(caught_up_in_all, 0u) << "no kill came between an append and its flush";
}

}  // namespace
}  // namespace bowerbird::state
