#include <fcntl.h>
#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "base/rng.h"
#include "fmt/format.h"
#include "log/fault_file_system.h"
#include "log/rocks_log.h"

namespace bowerbird::log {
namespace {

using Acknowledged = std::map<std::pair<uint32_t, Offset>, std::string>;

class RocksLogFaultTest : public testing::Test {
 protected:
  RocksLogFaultTest()
      : disk_(std::make_shared<FaultFileSystem>(rocksdb::FileSystem::Default())),
        env_(rocksdb::NewCompositeEnv(disk_)) {
    options_.user_partitions = 2;
    options_.segment_bytes = 64 << 10;
  }
  void TearDown() override {
    log_.reset();
    std::filesystem::remove_all(dir_);
  }
  void Open(rocksdb::Env* env) {
    log_.reset();
    options_.env = env;
    auto opened = RocksLog::Open(dir_, options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = *std::move(opened);
  }
  /// Every acknowledged record is at its offset, and the log is sound.
  void ExpectHolds(const Acknowledged& acknowledged) {
    for (const auto& [where, value] : acknowledged) {
      auto read = log_->Read(Topic::kEvents, where.first, where.second, 1, 1 << 20);
      ASSERT_TRUE(read.ok()) << read.status();
      ASSERT_EQ(read->records.size(), 1U);
      ASSERT_EQ(read->records[0].offset, where.second);
      ASSERT_EQ(read->records[0].value, value);
    }
    const auto report = log_->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok()) << testing::PrintToString(report->problems);
  }
  /// Appends until one succeeds.
  absl::StatusOr<std::vector<Offset>> AppendUntilRecovered(const std::string& value) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (true) {
      auto offsets = log_->Append({{Topic::kEvents, 0, "k", value}});
      if (offsets.ok() || std::chrono::steady_clock::now() > deadline) return offsets;
      EXPECT_EQ(offsets.status().code(), absl::StatusCode::kUnavailable) << offsets.status();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  const std::string dir_ = testing::TempDir() + "rocks_log_fault_" + base::HexEncode(base::RandomBytes(6));
  std::shared_ptr<FaultFileSystem> disk_;
  std::unique_ptr<rocksdb::Env> env_;
  RocksLogOptions options_;
  std::unique_ptr<RocksLog> log_;
};

struct Fault {
  std::string name;
  void (FaultFileSystem::*set)(bool);
};

class RocksLogRecoversTest : public RocksLogFaultTest, public testing::WithParamInterface<Fault> {};

TEST_P(RocksLogRecoversTest, FailsItsWaitersReadsOnAndComesBack) {
  Open(env_.get());
  Acknowledged acknowledged;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) {
      const std::string value = fmt::format("{} {} {}", round, i, std::string(500, 'v'));
      auto offsets = log_->Append({{Topic::kEvents, 1, "k", value}});
      ASSERT_TRUE(offsets.ok()) << offsets.status();
      acknowledged[{1, offsets->front()}] = value;
    }
    (disk_.get()->*GetParam().set)(true);
    for (int i = 0; i < 5; ++i) {
      const absl::Status status = log_->Append({{Topic::kEvents, 1, "k", "never acknowledged"}}).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
      EXPECT_TRUE(log_->Read(Topic::kEvents, 1, 0, 10, 1 << 20).ok()) << "reads go on";
    }
    EXPECT_FALSE(log_->Truncate(Topic::kEvents, 1, 1).ok());
    (disk_.get()->*GetParam().set)(false);
    const std::string value = fmt::format("after the fault {}", round);
    auto offsets = AppendUntilRecovered(value);
    ASSERT_TRUE(offsets.ok()) << offsets.status();
    acknowledged[{0, offsets->front()}] = value;
    ExpectHolds(acknowledged);
  }
  EXPECT_EQ(log_->counters().recoveries, 3U);
  EXPECT_GE(log_->counters().failures, 15U);
  Open(nullptr);
  ExpectHolds(acknowledged);
}

INSTANTIATE_TEST_SUITE_P(Faults, RocksLogRecoversTest,
                         testing::Values(Fault{"fsync_fails", &FaultFileSystem::FailSyncs},
                                         Fault{"disk_is_full", &FaultFileSystem::FillDisk}),
                         [](const auto& info) { return info.param.name; });

TEST_F(RocksLogFaultTest, AcknowledgedRecordsSurvivePowerLoss) {
  const uint64_t seed = base::Hash64(base::RandomBytes(8));
  SCOPED_TRACE(fmt::format("seed {}", seed));
  base::Rng rng(seed);
  Acknowledged acknowledged;
  for (int round = 0; round < 12; ++round) {
    disk_ = std::make_shared<FaultFileSystem>(rocksdb::FileSystem::Default());
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(disk_);
    Open(env.get());
    ExpectHolds(acknowledged);
    const size_t before = acknowledged.size();
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0;; ++i) {
          const std::string value = fmt::format("{}/{}/{} {}", round, t, i, std::string(700, 'v'));
          auto offsets = log_->Append({{Topic::kEvents, t, "k", value}});
          if (!offsets.ok()) return;
          std::lock_guard lock(mutex);
          acknowledged[{t, offsets->front()}] = value;
        }
      });
    }
    const size_t until = rng.Below(80);
    for (size_t more = 0; more < until; std::this_thread::sleep_for(std::chrono::microseconds(200))) {
      std::lock_guard lock(mutex);
      more = acknowledged.size() - before;
    }
    disk_->LosePower();
    for (std::thread& thread : threads) thread.join();
    log_.reset();
    disk_->DropUnsynced(&rng);
  }
  Open(nullptr);
  EXPECT_GT(acknowledged.size(), 100U);
  ExpectHolds(acknowledged);
}

// What the child of the next test runs, in a process of its own (RocksDB's threads do not survive a fork). It appends
// from two threads, in batches of three, and tells the pipe each offset that was acknowledged, until it is killed.
TEST(RocksLogKillTest, DISABLED_AppendUntilKilled) {
  const char* dir = std::getenv("BOWERBIRD_KILL_DIR");
  ASSERT_NE(dir, nullptr);
  const int pipe = std::atoi(std::getenv("BOWERBIRD_KILL_PIPE"));
  RocksLogOptions options;
  options.user_partitions = 2;
  options.segment_bytes = 64 << 10;
  auto log = RocksLog::Open(dir, options);
  ASSERT_TRUE(log.ok()) << log.status();
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      while (true) {
        std::vector<AppendRecord> batch;
        batch.reserve(3);
        for (int part = 0; part < 3; ++part) {
          batch.push_back(
              {Topic::kEvents, t, fmt::format("{}", part), std::string(800, static_cast<char>('a' + part))});
        }
        auto offsets = (*log)->Append(std::move(batch));
        if (!offsets.ok()) std::abort();
        const uint64_t message[2] = {t, offsets->front()};
        if (::write(pipe, message, sizeof(message)) != sizeof(message)) std::abort();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(RocksLogFaultTest, AcknowledgedRecordsSurviveKill) {
  base::Rng rng(base::Hash64(base::RandomBytes(8)));
  std::map<uint32_t, uint64_t> last_acknowledged;
  uint64_t messages = 0;
  for (int round = 0; round < 8; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::fcntl(ends[1], F_SETFD, 0);
      ::setenv("BOWERBIRD_KILL_DIR", dir_.c_str(), 1);
      ::setenv("BOWERBIRD_KILL_PIPE", std::to_string(ends[1]).c_str(), 1);
      // The child runs one test, whichever part of the tests it is in.
      ::unsetenv("GTEST_TOTAL_SHARDS");
      ::unsetenv("GTEST_SHARD_INDEX");
      ::execl("/proc/self/exe", "log_test", "--gtest_also_run_disabled_tests", "--gtest_brief=1",
              "--gtest_filter=RocksLogKillTest.DISABLED_AppendUntilKilled", nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    const uint64_t until = messages + 20 + rng.Below(300);
    bool killed = false;
    uint64_t message[2];
    while (::read(ends[0], message, sizeof(message)) == sizeof(message)) {
      uint64_t& last = last_acknowledged[static_cast<uint32_t>(message[0])];
      last = std::max(last, message[1] + 2);
      if (++messages >= until && !killed) {
        ::kill(child, SIGKILL);
        killed = true;
      }
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(killed && WIFSIGNALED(status)) << "the child ended by itself, status " << status;
    Open(nullptr);
    for (uint32_t partition = 0; partition < 2; ++partition) {
      const Offset end = *log_->EndOffset(Topic::kEvents, partition);
      EXPECT_GT(end, last_acknowledged[partition]);
      EXPECT_EQ(end % 3, 0U) << "a batch is whole or absent";
    }
    ExpectHolds({});
    log_.reset();
  }
  EXPECT_GT(messages, 160U);
}

}  // namespace
}  // namespace bowerbird::log
