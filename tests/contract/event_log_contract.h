#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "contract/manual_clock.h"
#include "log/event_log.h"

/// What every EventLog must do, whatever it stands on. An implementation's test makes a subject and instantiates the
/// suite:
///
/// Include it in one source of a test program only.
///
///   INSTANTIATE_TEST_SUITE_P(RocksLog, EventLogContract, testing::Values(ContractSubject{"rocks", &MakeIt}));
namespace bowerbird::log {

/// A log that can be closed and opened again. One object per test; it removes what it made.
class ContractLog {
 public:
  virtual ~ContractLog() = default;
  /// Opens the same log (an empty one at first) under `clock`, with two partitions or more of topic events. The log
  /// opened before has been destroyed.
  virtual absl::StatusOr<std::unique_ptr<EventLog>> Open(const base::Clock* clock) = 0;
};

struct ContractSubject {
  std::string name;
  std::function<std::unique_ptr<ContractLog>()> make;
  int64_t time_unit_us = 1;  ///< append times are whole multiples of it
};

inline void PrintTo(const ContractSubject& subject, std::ostream* out) { *out << subject.name; }

class EventLogContract : public testing::TestWithParam<ContractSubject> {
 protected:
  void SetUp() override {
    subject_ = GetParam().make();
    Reopen();
  }
  void Reopen() {
    log_.reset();
    auto opened = subject_->Open(&clock_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = *std::move(opened);
  }
  static AppendRecord Event(uint32_t partition, std::string key, std::string value) {
    return {Topic::kEvents, partition, std::move(key), std::move(value)};
  }
  Offset AppendOne(uint32_t partition, std::string key, std::string value) {
    auto offsets = log_->Append({Event(partition, std::move(key), std::move(value))});
    EXPECT_TRUE(offsets.ok()) << offsets.status();
    return offsets.ok() && offsets->size() == 1 ? offsets->front() : ~Offset{0};
  }
  /// Everything that is retained of one partition, by many small reads.
  std::vector<Record> ReadAll(Topic topic, uint32_t partition) {
    std::vector<Record> all;
    Offset offset = *log_->BeginOffset(topic, partition);
    const Offset end = *log_->EndOffset(topic, partition);
    while (offset < end) {
      auto read = log_->Read(topic, partition, offset, 7, 1 << 20);
      EXPECT_TRUE(read.ok()) << read.status();
      if (!read.ok() || read->next_offset <= offset) return all;
      offset = read->next_offset;
      for (Record& record : read->records) all.push_back(std::move(record));
    }
    return all;
  }
  std::vector<std::string> Values(uint32_t partition) {
    std::vector<std::string> values;
    for (Record& record : ReadAll(Topic::kEvents, partition)) values.push_back(std::move(record.value));
    return values;
  }

  ManualClock clock_;
  std::unique_ptr<ContractLog> subject_;
  std::unique_ptr<EventLog> log_;
};

TEST_P(EventLogContract, AppendedIsReadBackAlsoAfterReopening) {
  const std::string any_bytes("\0\xff\n\x80 bytes", 10);
  clock_.Set(5'000'000);
  const Offset first = AppendOne(0, "key", any_bytes);
  const Offset second = AppendOne(0, "", "");
  for (int round = 0; round < 3; ++round) {
    const std::vector<Record> records = ReadAll(Topic::kEvents, 0);
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0].offset, first);
    EXPECT_EQ(records[0].key, "key");
    EXPECT_EQ(records[0].value, any_bytes);
    EXPECT_EQ(records[0].append_time_us, 5'000'000);
    EXPECT_EQ(records[1].offset, second);
    EXPECT_EQ(records[1].key, "");
    EXPECT_EQ(records[1].value, "");
    Reopen();
  }
}

TEST_P(EventLogContract, OffsetsAscendInTheOrderOfAppends) {
  std::vector<Offset> offsets;
  offsets.reserve(60);
  for (int i = 0; i < 50; ++i) offsets.push_back(AppendOne(1, "k", std::to_string(i)));
  Reopen();
  for (int i = 50; i < 60; ++i) offsets.push_back(AppendOne(1, "k", std::to_string(i)));
  const std::vector<Record> records = ReadAll(Topic::kEvents, 1);
  ASSERT_EQ(records.size(), 60U);
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].offset, offsets[i]);
    EXPECT_EQ(records[i].value, std::to_string(i));
    if (i > 0) {
      EXPECT_GT(offsets[i], offsets[i - 1]);
    }
  }
  EXPECT_GT(*log_->EndOffset(Topic::kEvents, 1), offsets.back());
}

TEST_P(EventLogContract, BatchKeepsItsOrderAcrossTopicsAndPartitions) {
  std::vector<AppendRecord> batch;
  for (int i = 0; i < 20; ++i) {
    batch.push_back(Event(i % 2, "e", std::to_string(i)));
    batch.push_back({Topic::kCatalog, 0, "item", std::to_string(i)});
  }
  auto offsets = log_->Append(batch);
  ASSERT_TRUE(offsets.ok()) << offsets.status();
  ASSERT_EQ(offsets->size(), batch.size());
  for (const auto& [topic, partition] : {std::pair{Topic::kEvents, 0U}, {Topic::kEvents, 1U}, {Topic::kCatalog, 0U}}) {
    const std::vector<Record> records = ReadAll(topic, partition);
    size_t next = 0;
    for (size_t i = 0; i < batch.size(); ++i) {
      if (batch[i].topic != topic || batch[i].partition != partition) continue;
      ASSERT_LT(next, records.size());
      EXPECT_EQ(records[next].offset, (*offsets)[i]);
      EXPECT_EQ(records[next].value, batch[i].value);
      ++next;
    }
    EXPECT_EQ(next, records.size());
  }
}

TEST_P(EventLogContract, RefusedBatchLeavesNothing) {
  AppendOne(0, "k", "before");
  const std::string long_key(257, 'k');
  const std::string long_value(EventLog::kValueBytesMax + 1, 'v');
  const uint32_t partitions = log_->PartitionCount(Topic::kEvents);
  for (const AppendRecord& bad :
       {Event(0, long_key, "v"), Event(0, "k", long_value), Event(partitions, "k", "v"),
        AppendRecord{static_cast<Topic>(77), 0, "k", "v"}, AppendRecord{static_cast<Topic>(0), 0, "k", "v"}}) {
    EXPECT_EQ(log_->Append({Event(0, "k", "good"), bad, Event(1, "k", "good")}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(Values(0), std::vector<std::string>{"before"});
  EXPECT_TRUE(Values(1).empty());
  Reopen();
  EXPECT_EQ(Values(0), std::vector<std::string>{"before"});
}

TEST_P(EventLogContract, TakesWhatIsExactlyAtTheLimits) {
  const std::string key(256, 'k');
  const std::string value(EventLog::kValueBytesMax, 'v');
  AppendOne(0, key, value);
  const std::vector<Record> records = ReadAll(Topic::kEvents, 0);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].key, key);
  EXPECT_TRUE(records[0].value == value);
}

TEST_P(EventLogContract, RefusesABatchBeyondItsLimit) {
  std::vector<AppendRecord> batch;
  for (size_t bytes = 0; bytes <= EventLog::kBatchBytesMax; bytes += EventLog::kValueBytesMax) {
    batch.push_back(Event(0, "k", std::string(EventLog::kValueBytesMax, 'v')));
  }
  EXPECT_EQ(log_->Append(std::move(batch)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*log_->EndOffset(Topic::kEvents, 0), *log_->BeginOffset(Topic::kEvents, 0));
}

TEST_P(EventLogContract, EmptyBatchIsAnsweredWithoutOffsets) {
  auto offsets = log_->Append({});
  ASSERT_TRUE(offsets.ok()) << offsets.status();
  EXPECT_TRUE(offsets->empty());
}

TEST_P(EventLogContract, AsyncAppendsOfOneCallerKeepTheirOrderAndAnswerOnce) {
  constexpr int kBatches = 300;
  std::mutex mutex;
  std::condition_variable answered;
  int answers = 0;
  int refused = 0;
  for (int i = 0; i < kBatches; ++i) {
    const bool bad = i % 10 == 9;
    log_->AppendAsync({Event(0, bad ? std::string(257, 'k') : "k", std::to_string(i))},
                      [&, bad](const absl::StatusOr<std::vector<Offset>>& result) {
                        EXPECT_EQ(result.ok(), !bad);
                        std::lock_guard lock(mutex);
                        refused += bad ? 1 : 0;
                        if (++answers == kBatches) answered.notify_one();
                      });
  }
  std::unique_lock lock(mutex);
  ASSERT_TRUE(answered.wait_for(lock, std::chrono::seconds(30), [&] { return answers == kBatches; }));
  EXPECT_EQ(refused, kBatches / 10);
  std::vector<std::string> expected;
  for (int i = 0; i < kBatches; ++i) {
    if (i % 10 != 9) expected.push_back(std::to_string(i));
  }
  EXPECT_EQ(Values(0), expected);
}

TEST_P(EventLogContract, ConcurrentAppendersHaveEachRecordOnceAndTheirOwnOrder) {
  constexpr int kThreads = 6;
  constexpr int kEach = 120;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  std::mutex mutex;
  std::map<std::pair<uint32_t, Offset>, std::string> acknowledged;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string value = std::to_string(t) + ":" + std::to_string(i);
        const uint32_t other = static_cast<uint32_t>((t + i) % 2);
        auto offsets = log_->Append({Event(0, "k", value), Event(other, "k", value + "+")});
        ASSERT_TRUE(offsets.ok()) << offsets.status();
        std::lock_guard lock(mutex);
        EXPECT_TRUE(acknowledged.emplace(std::pair{0U, (*offsets)[0]}, value).second);
        EXPECT_TRUE(acknowledged.emplace(std::pair{other, (*offsets)[1]}, value + "+").second);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Reopen();
  std::map<std::pair<uint32_t, Offset>, std::string> stored;
  std::vector<int> last(kThreads, -1);
  for (uint32_t partition = 0; partition < 2; ++partition) {
    for (const Record& record : ReadAll(Topic::kEvents, partition)) {
      EXPECT_TRUE(stored.emplace(std::pair{partition, record.offset}, record.value).second);
      if (partition != 0 || record.value.ends_with("+")) continue;
      const size_t colon = record.value.find(':');
      int& seen = last[std::stoul(record.value.substr(0, colon))];
      const int number = std::stoi(record.value.substr(colon + 1));
      EXPECT_GT(number, seen) << "an appender's own order";
      seen = number;
    }
  }
  EXPECT_EQ(stored, acknowledged);
}

TEST_P(EventLogContract, ReadKeepsToItsBounds) {
  for (int i = 0; i < 10; ++i) AppendOne(0, "k", std::string(100, static_cast<char>('a' + i)));
  const Offset begin = *log_->BeginOffset(Topic::kEvents, 0);
  const Offset end = *log_->EndOffset(Topic::kEvents, 0);

  auto read = log_->Read(Topic::kEvents, 0, begin, 3, 1 << 20);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->records.size(), 3U);
  EXPECT_EQ(read->next_offset, read->records.back().offset + 1);

  read = log_->Read(Topic::kEvents, 0, read->next_offset, 100, 250);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_GE(read->records.size(), 1U);
  EXPECT_LE(read->records.size(), 3U);
  EXPECT_EQ(read->records.front().value[0], 'd');

  read = log_->Read(Topic::kEvents, 0, begin, 100, 1);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->records.size(), 1U) << "at least one";

  read = log_->Read(Topic::kEvents, 0, begin, 0, 1 << 20);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->records.empty());
  EXPECT_EQ(read->next_offset, begin);

  read = log_->Read(Topic::kEvents, 0, end, 100, 1 << 20);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->records.empty());
  EXPECT_EQ(read->next_offset, end);

  read = log_->Read(Topic::kEvents, 0, begin, 1000, 1 << 20);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->records.size(), 10U);
  EXPECT_EQ(read->next_offset, end);

  EXPECT_EQ(log_->Read(Topic::kEvents, 0, end + 1, 1, 1).status().code(), absl::StatusCode::kOutOfRange);
  const uint32_t partitions = log_->PartitionCount(Topic::kEvents);
  EXPECT_EQ(log_->Read(Topic::kEvents, partitions, 0, 1, 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(log_->EndOffset(static_cast<Topic>(99), 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(log_->BeginOffset(Topic::kEvents, partitions).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(EventLogContract, TruncationMovesTheBeginForGood) {
  std::vector<Offset> offsets;
  offsets.reserve(20);
  for (int i = 0; i < 20; ++i) offsets.push_back(AppendOne(0, "k", std::to_string(i)));
  AppendOne(1, "k", "other partition");
  ASSERT_TRUE(log_->Truncate(Topic::kEvents, 0, offsets[12]).ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(*log_->BeginOffset(Topic::kEvents, 0), offsets[12]);
    EXPECT_EQ(log_->Read(Topic::kEvents, 0, offsets[11], 1, 1).status().code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(Values(0), (std::vector<std::string>{"12", "13", "14", "15", "16", "17", "18", "19"}));
    EXPECT_EQ(Values(1), std::vector<std::string>{"other partition"});
    Reopen();
  }
  EXPECT_TRUE(log_->Truncate(Topic::kEvents, 0, offsets[3]).ok()) << "nothing to do";
  EXPECT_EQ(*log_->BeginOffset(Topic::kEvents, 0), offsets[12]);
  const Offset end = *log_->EndOffset(Topic::kEvents, 0);
  EXPECT_EQ(log_->Truncate(Topic::kEvents, 0, end + 1).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(log_->Truncate(Topic::kEvents, 0, end).ok());
  Reopen();
  EXPECT_TRUE(Values(0).empty());
  EXPECT_EQ(*log_->EndOffset(Topic::kEvents, 0), end) << "offsets are never used again";
  EXPECT_GE(AppendOne(0, "k", "after"), end);
  EXPECT_EQ(Values(0), std::vector<std::string>{"after"});
}

TEST_P(EventLogContract, FindsTheFirstOffsetOfATime) {
  const int64_t unit_us = GetParam().time_unit_us;
  std::vector<Offset> offsets;
  for (const int64_t time : {100, 100, 200, 300, 300, 300, 500}) {
    clock_.Set(time * unit_us);
    offsets.push_back(AppendOne(0, "k", "v"));
  }
  const Offset end = *log_->EndOffset(Topic::kEvents, 0);
  const std::vector<std::pair<int64_t, Offset>> expected = {
      {-1, offsets[0]},  {0, offsets[0]},   {100, offsets[0]}, {101, offsets[2]}, {200, offsets[2]},
      {299, offsets[3]}, {300, offsets[3]}, {301, offsets[6]}, {500, offsets[6]}, {501, end}};
  for (int round = 0; round < 2; ++round) {
    for (const auto& [time, offset] : expected) {
      EXPECT_EQ(*log_->OffsetAtTime(Topic::kEvents, 0, time * unit_us), offset) << "time " << time;
    }
    EXPECT_EQ(*log_->OffsetAtTime(Topic::kEvents, 0, 100 * unit_us + 1), offsets[2]) << "between two units";
    EXPECT_EQ(*log_->OffsetAtTime(Topic::kEvents, 1, 0), *log_->EndOffset(Topic::kEvents, 1)) << "an empty partition";
    Reopen();
  }
  ASSERT_TRUE(log_->Truncate(Topic::kEvents, 0, offsets[4]).ok());
  EXPECT_EQ(*log_->OffsetAtTime(Topic::kEvents, 0, 0), offsets[4]);
  EXPECT_EQ(*log_->OffsetAtTime(Topic::kEvents, 0, 301 * unit_us), offsets[6]);
}

TEST_P(EventLogContract, AppendTimeNeverGoesBackwards) {
  clock_.Set(9'000'000);
  AppendOne(0, "k", "first");
  clock_.Set(1'000'000);
  AppendOne(0, "k", "second");
  Reopen();
  clock_.Set(2'000'000);
  AppendOne(0, "k", "third");
  clock_.Set(9'500'000);
  AppendOne(0, "k", "fourth");
  const std::vector<Record> records = ReadAll(Topic::kEvents, 0);
  ASSERT_EQ(records.size(), 4U);
  EXPECT_EQ(records[0].append_time_us, 9'000'000);
  EXPECT_EQ(records[1].append_time_us, 9'000'000);
  EXPECT_EQ(records[2].append_time_us, 9'000'000);
  EXPECT_EQ(records[3].append_time_us, 9'500'000);
}

TEST_P(EventLogContract, WaitForAppendSeesWhatIsNewAndKeepsToItsDeadline) {
  std::vector<Offset> seen(log_->PartitionCount(Topic::kEvents), 0);
  EXPECT_FALSE(log_->WaitForAppend(Topic::kEvents, seen, 20'000));
  AppendOne(1, "k", "v");
  EXPECT_TRUE(log_->WaitForAppend(Topic::kEvents, seen, 0)) << "already there";
  EXPECT_TRUE(log_->WaitForAppend(Topic::kEvents, {}, 0)) << "absent ends count as 0";
  for (uint32_t p = 0; p < seen.size(); ++p) seen[p] = *log_->EndOffset(Topic::kEvents, p);
  log_->Append({{Topic::kServed, 0, "k", "v"}}).IgnoreError();
  EXPECT_FALSE(log_->WaitForAppend(Topic::kEvents, seen, 20'000)) << "another topic";
  std::thread appender([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    AppendOne(0, "k", "v");
  });
  EXPECT_TRUE(log_->WaitForAppend(Topic::kEvents, seen, 30'000'000));
  appender.join();
  EXPECT_GT(*log_->EndOffset(Topic::kEvents, 0), seen[0]) << "what woke the waiter can be read";
}

TEST_P(EventLogContract, ReaderThatFollowsSeesEverythingInOrder) {
  constexpr int kRecords = 400;
  std::thread appender([&] {
    for (int i = 0; i < kRecords; ++i) AppendOne(0, "k", std::to_string(i));
  });
  std::vector<std::string> seen;
  Offset offset = 0;
  while (seen.size() < kRecords) {
    const std::vector<Offset> ends = {offset};
    if (!log_->WaitForAppend(Topic::kEvents, ends, 30'000'000)) break;
    auto read = log_->Read(Topic::kEvents, 0, offset, 50, 1 << 20);
    ASSERT_TRUE(read.ok()) << read.status();
    offset = read->next_offset;
    for (Record& record : read->records) seen.push_back(std::move(record.value));
  }
  appender.join();
  ASSERT_EQ(seen.size(), static_cast<size_t>(kRecords));
  for (int i = 0; i < kRecords; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], std::to_string(i));
}

TEST_P(EventLogContract, StatsAgreeWithWhatIsThere) {
  for (int i = 0; i < 30; ++i) AppendOne(static_cast<uint32_t>(i % 2), "k", "value");
  ASSERT_TRUE(log_->Truncate(Topic::kEvents, 1, *log_->BeginOffset(Topic::kEvents, 1) + 5).ok());
  Reopen();
  auto stats = log_->Stats();
  ASSERT_TRUE(stats.ok()) << stats.status();
  size_t expected_entries = 0;
  for (const Topic topic : kAllTopics) expected_entries += log_->PartitionCount(topic);
  EXPECT_EQ(stats->size(), expected_entries);
  for (const PartitionStats& one : *stats) {
    EXPECT_EQ(one.begin, *log_->BeginOffset(one.topic, one.partition));
    EXPECT_EQ(one.end, *log_->EndOffset(one.topic, one.partition));
    EXPECT_EQ(one.records, ReadAll(one.topic, one.partition).size());
    if (one.bytes.has_value()) {
      EXPECT_EQ(*one.bytes > 0, one.records > 0);
    }
  }
}

}  // namespace bowerbird::log
