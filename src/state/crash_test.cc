#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <utility>

#include "gtest/gtest.h"
#include "log/rocks_log.h"
#include "state/events_for_test.h"
#include "state/fold.h"
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

struct MarkCounts {
  size_t marks = 0, twice = 0;
};
/// Mark records by rules in the log, and those that follow from a record that another one follows from.
MarkCounts CountMarks(const log::EventLog& log) {
  MarkCounts counts;
  for (uint32_t p = 0; p < kPartitions; ++p) {
    std::set<std::pair<uint64_t, uint64_t>> seen;
    log::Offset at = 0;
    while (true) {
      const auto read = log.Read(log::Topic::kEvents, p, at, 10'000, 16 << 20);
      EXPECT_TRUE(read.ok()) << read.status();
      if (!read.ok() || read->next_offset <= at) break;
      at = read->next_offset;
      v1::Event event;
      for (const log::Record& record : read->records) {
        if (!event.ParseFromString(record.value) || !event.has_mark()) continue;
        if (!IsByRule(MarkReasonOf(event.mark().reason()))) continue;
        ++counts.marks;
        counts.twice += !seen.emplace(event.user_key(), event.mark().source_offset()).second;
      }
    }
  }
  return counts;
}

/// Small buffers and intervals, so that every kind of write is under way whenever the process dies.
std::shared_ptr<const config::Config> CrashConfig() {
  config::Config config = TestConfig();
  config.state.cache_bytes = 2 << 20;
  config.state.flush_interval_us = 2'000;
  config.state.item_table_interval_us = 5'000;
  // Users are marked, again and again.
  config.traffic.enabled = true;
  config.traffic.rate = 8;
  config.traffic.rate_window_us = 5 * 60 * kSecondUs;
  config.traffic.entropy_actions = 16;
  config.traffic.entropy = 3;
  config.traffic.mark_us = kHourUs;
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
    v1::Event crawled = TestEvent("click", fmt::format("user{}", rng.Below(300)), "item1", "", events.now_us());
    crawled.set_agent("bot/");
    (void)log->Append({ToRecord(crawled, kPartitions)});
    static constexpr MarkReason kWords[] = {MarkReason::kByHand, MarkReason::kUnmarked, MarkReason::kRules};
    const std::string judged = fmt::format("user{}", rng.Below(10));
    (void)log->Append(
        {ToRecord(MarkEvent(judged, TestHasher().User(judged), {kWords[rng.Below(3)]}, events.now_us()), kPartitions)});
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
      // The child runs one test, whichever part of the tests it is in.
      ::unsetenv("GTEST_TOTAL_SHARDS");
      ::unsetenv("GTEST_SHARD_INDEX");
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
  const auto log = OpenLog(folder);
  ASSERT_NE(log, nullptr);
  const MarkCounts counts = CountMarks(*log);
  EXPECT_GT(counts.marks, 0u);
  EXPECT_EQ(counts.twice, 0u);
  // Made again, it finds all of them in the log.
  {
    std::filesystem::remove_all(folder + "/state");
    State::Options options;
    auto state = State::Open(folder + "/state", config, log.get(), &base::SystemClock::Get(), options);
    ASSERT_TRUE(state.ok()) << state.status();
    ASSERT_TRUE((*state)->CatchUp().ok());
  }
  EXPECT_EQ(CountMarks(*log).marks, counts.marks);
  EXPECT_GT(folded_before, 0u);
  EXPECT_GT(caught_up_in_all, 0u) << "no kill came between an append and its flush";
}

}  // namespace
}  // namespace bowerbird::state
