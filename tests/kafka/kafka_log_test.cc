#include "log/kafka_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "contract/manual_clock.h"
#include "fmt/format.h"
#include "kafka/broker.h"

namespace bowerbird::log {
namespace {

using testing::HasSubstr;

KafkaLogOptions OptionsOf(const kafka_test::Brokers& brokers) {
  KafkaLogOptions options;
  options.client.brokers = {brokers.addresses()};
  options.topic_prefix = kafka_test::FreshPrefix();
  options.topics.user_partitions = 4;
  options.answer_timeout_us = 60'000'000;  // a loaded machine
  return options;
}

class KafkaLogTest : public testing::Test {
 protected:
  KafkaLogOptions options_ = OptionsOf(kafka_test::Brokers::One());
};

std::unique_ptr<KafkaLog> Open(const KafkaLogOptions& options) {
  auto opened = KafkaLog::Open(options);
  EXPECT_TRUE(opened.ok()) << opened.status();
  return opened.ok() ? *std::move(opened) : nullptr;
}

std::vector<Record> ReadAll(const KafkaLog& log, Topic topic, uint32_t partition) {
  std::vector<Record> all;
  Offset offset = *log.BeginOffset(topic, partition);
  while (offset < *log.EndOffset(topic, partition)) {
    auto read = log.Read(topic, partition, offset, 1000, 1 << 20);
    EXPECT_TRUE(read.ok()) << read.status();
    if (!read.ok()) return all;
    offset = read->next_offset;
    for (Record& record : read->records) all.push_back(std::move(record));
  }
  return all;
}

TEST_F(KafkaLogTest, OtherPartitionCountIsRefusedWithBothNumbers) {
  ASSERT_NE(Open(options_), nullptr);
  options_.topics.user_partitions = 8;
  const absl::Status status = KafkaLog::Open(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("events has 4 partitions; the config asks for 8"));
}

TEST_F(KafkaLogTest, WhatCannotBeIsRefused) {
  options_.topics.user_partitions = 0;
  EXPECT_EQ(KafkaLog::Open(options_).status().code(), absl::StatusCode::kInvalidArgument);
  options_.topics.user_partitions = 4;
  options_.client.properties = {{"security.protocol", "pigeon"}};
  const absl::Status status = KafkaLog::Open(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("security.protocol"));
  options_.client.properties = {};
  options_.topics.replication = 3;
  EXPECT_EQ(KafkaLog::Open(options_).status().code(), absl::StatusCode::kInvalidArgument) << "of one broker";
}

TEST_F(KafkaLogTest, NobodyThereIsUnavailableInTime) {
  options_.client.brokers = {"127.0.0.1:1"};
  options_.answer_timeout_us = 1'000'000;
  EXPECT_EQ(KafkaLog::Open(options_).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(KafkaLogTest, RetentionBecomesTheTopicsConfigurationAndWhatOthersSetStays) {
  options_.topics.retention_us = {{Topic::kEvents, 3'600'000'000}, {Topic::kCatalog, 3'600'000'000}};
  {
    const auto log = Open(options_);
    ASSERT_NE(log, nullptr);
    ASSERT_TRUE(log->Append({{Topic::kCatalog, 0, "k", "v"}, {Topic::kCatalog, 0, "k", "w"}}).ok());
    // With compaction on, truncation must still be possible.
    EXPECT_TRUE(log->Truncate(Topic::kCatalog, 0, 1).ok());
    EXPECT_TRUE(log->SetRetention({}).ok());
    EXPECT_TRUE(log->SetRetention({{Topic::kEvents, 7'200'000'000}}).ok());
  }
  const auto log = Open(options_);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(ReadAll(*log, Topic::kCatalog, 0).size(), 1U);
}

TEST_F(KafkaLogTest, TwoProcessesSeeEachOthersRecords) {
  const auto one = Open(options_);
  ASSERT_NE(one, nullptr);
  const auto other = Open(options_);
  ASSERT_NE(other, nullptr);
  const std::vector<Offset> seen(4, 0);
  ASSERT_TRUE(one->Append({{Topic::kEvents, 2, "k", "v"}}).ok());
  EXPECT_TRUE(other->WaitForAppend(Topic::kEvents, seen, 30'000'000));
  EXPECT_EQ(ReadAll(*other, Topic::kEvents, 2).size(), 1U);
  // The end that was not asked for is found when a reader comes with it.
  ASSERT_TRUE(one->Append({{Topic::kCatalog, 0, "k", "v"}}).ok());
  EXPECT_TRUE(other->Read(Topic::kCatalog, 0, 1, 10, 1000).ok());
}

TEST_F(KafkaLogTest, ReadersAtManyPlacesDoNotDisturbEachOther) {
  const auto log = Open(options_);
  ASSERT_NE(log, nullptr);
  std::vector<AppendRecord> batch;
  batch.reserve(5000);
  for (int i = 0; i < 5000; ++i) batch.push_back({Topic::kEvents, 1, "k", std::to_string(i)});
  ASSERT_TRUE(log->Append(batch).ok());
  std::vector<std::thread> readers;
  readers.reserve(6);
  for (int r = 0; r < 6; ++r) {
    readers.emplace_back([&, r] {
      Offset offset = static_cast<Offset>(r) * 700;
      while (offset < 5000) {
        auto read = log->Read(Topic::kEvents, 1, offset, 100, 1 << 20);
        ASSERT_TRUE(read.ok()) << read.status();
        ASSERT_EQ(read->records.front().value, std::to_string(offset));
        offset = read->next_offset;
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
}

TEST_F(KafkaLogTest, StopAnswersWhatWasBegunAndRefusesTheRest) {
  const auto log = Open(options_);
  ASSERT_NE(log, nullptr);
  std::atomic<int> acknowledged = 0, refused = 0;
  const auto count = [&](const absl::StatusOr<std::vector<Offset>>& result) {
    ++(result.ok() ? acknowledged : refused);
  };
  for (int i = 0; i < 200; ++i) log->AppendAsync({{Topic::kEvents, 0, "k", std::string(1000, 'v')}}, count);
  log->StopAppends();
  EXPECT_EQ(acknowledged, 200);
  EXPECT_TRUE(absl::IsUnavailable(log->Append({{Topic::kEvents, 0, "k", "v"}}).status()));
  log->AppendAsync({{Topic::kEvents, 0, "k", "v"}}, count);
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(ReadAll(*log, Topic::kEvents, 0).size(), 200U);
  log->StopAppends();
}

TEST_F(KafkaLogTest, VerifyReadsEverything) {
  const auto log = Open(options_);
  ASSERT_NE(log, nullptr);
  for (uint32_t p = 0; p < 4; ++p) ASSERT_TRUE(log->Append({{Topic::kEvents, p, "k", "v"}}).ok());
  const auto report = log->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok()) << testing::PrintToString(report->problems);
  EXPECT_EQ(report->records, 4U);
}

/// Appends numbered records from several threads until told to stop, each again until it is acknowledged; and counts.
class Load {
 public:
  explicit Load(KafkaLog* log) : log_(log) {
    for (int t = 0; t < 4; ++t) threads_.emplace_back([this, t] { Run(t); });
  }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  size_t acknowledged() const { return acknowledged_; }
  size_t failures() const { return failures_; }
  /// Every acknowledged value is there; and as often as it was tried at most.
  void Check() {
    std::map<std::string, int> stored;
    std::map<std::pair<uint32_t, Offset>, std::string> places;
    for (uint32_t p = 0; p < 4; ++p) {
      for (Record& record : ReadAll(*log_, Topic::kEvents, p)) {
        ++stored[record.value];
        places[{p, record.offset}] = std::move(record.value);
      }
    }
    for (const auto& [value, tries] : tries_) {
      EXPECT_GE(stored[value], 1) << value;
      // The library's own retries never store twice; ours do so only after an append that was told to have failed.
      EXPECT_LE(stored[value], tries) << value;
    }
    for (const auto& [place, value] : acknowledgements_) EXPECT_EQ(places[place], value);
    EXPECT_EQ(stored.size(), tries_.size());
  }

 private:
  void Run(int thread) {
    for (int i = 0; !stop_; ++i) {
      const std::string value = fmt::format("{}:{}", thread, i);
      const uint32_t partition = static_cast<uint32_t>(i) % 4;
      for (int tries = 1;; ++tries) {
        auto offsets = log_->Append({{Topic::kEvents, partition, "k", value}});
        if (!offsets.ok()) {
          EXPECT_EQ(offsets.status().code(), absl::StatusCode::kUnavailable);
          ++failures_;
          continue;
        }
        const std::lock_guard lock(mutex_);
        tries_[value] = tries;
        EXPECT_TRUE(acknowledgements_.emplace(std::pair{partition, offsets->front()}, value).second);
        ++acknowledged_;
        break;
      }
    }
  }
  KafkaLog* const log_;
  std::atomic<bool> stop_ = false;
  std::atomic<size_t> acknowledged_ = 0, failures_ = 0;
  std::mutex mutex_;
  std::map<std::string, int> tries_;
  std::map<std::pair<uint32_t, Offset>, std::string> acknowledgements_;
  std::vector<std::thread> threads_;
};

void AwaitMore(const Load& load, size_t more) {
  for (const size_t until = load.acknowledged() + more; load.acknowledged() < until;)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

TEST_F(KafkaLogTest, OutageOfTheBrokerLosesNothingAndStoresNothingTwice) {
  const kafka_test::Brokers& broker = kafka_test::Brokers::One();
  options_.append_timeout_us = 60'000'000;
  const auto log = Open(options_);
  ASSERT_NE(log, nullptr);
  Load load(log.get());
  AwaitMore(load, 200);
  broker.Kill(1);
  broker.Resume(1);
  AwaitMore(load, 200);
  broker.Stop(1);
  broker.Resume(1);
  AwaitMore(load, 200);
  load.Stop();
  EXPECT_EQ(load.failures(), 0U) << "appends wait for a broker that comes back in time";
  load.Check();
}

TEST_F(KafkaLogTest, OutageThatLastsIsToldAndEndsByItself) {
  const kafka_test::Brokers& broker = kafka_test::Brokers::One();
  options_.append_timeout_us = 2'000'000;
  options_.answer_timeout_us = 2'000'000;
  const auto log = Open(options_);
  ASSERT_NE(log, nullptr);
  Load load(log.get());
  AwaitMore(load, 200);
  broker.Kill(1);
  while (load.failures() < 4 || log->Health().ok()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(log->Health().code(), absl::StatusCode::kUnavailable);
  EXPECT_GT(log->counters().failures, 0U);
  broker.Resume(1);
  AwaitMore(load, 200);
  while (!log->Health().ok()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  load.Stop();
  load.Check();
}

TEST(KafkaOutageTest, OutageOfALeaderMovesItAndLosesNothing) {
  const kafka_test::Brokers brokers(3, 29192);
  ASSERT_FALSE(brokers.addresses().empty());
  KafkaLogOptions options = OptionsOf(brokers);
  options.topics.replication = 3;
  options.append_timeout_us = 60'000'000;
  const auto log = Open(options);
  ASSERT_NE(log, nullptr);
  Load load(log.get());
  // What a server asks at its start is answered by whoever leads then.
  std::atomic<bool> done = false;
  std::thread asker([&] {
    for (uint32_t n = 0; !done; ++n) {
      const auto offset = log->OffsetAtTime(Topic::kEvents, n % 4, 1'000'000);
      EXPECT_TRUE(offset.ok()) << offset.status();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  for (const int id : {1, 2, 3}) {
    AwaitMore(load, 100);
    brokers.Kill(id);
    AwaitMore(load, 100);
    brokers.Resume(id);
    // Its copies catch up before the next one goes, or two of three would be missing.
    while (!log->Health().ok()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    AwaitMore(load, 500);
  }
  done = true;
  asker.join();
  load.Stop();
  load.Check();
}

}  // namespace
}  // namespace bowerbird::log
