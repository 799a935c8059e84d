#include "lake/log_with_history.h"

#include <atomic>
#include <fstream>
#include <thread>
#include <tuple>

#include "gmock/gmock.h"
#include "lake/lake_for_test.h"

namespace bowerbird::lake {
namespace {

using log::Offset;
using log::Topic;
using testing::HasSubstr;

class LogWithHistoryTest : public LakeTest {
 protected:
  ~LogWithHistoryTest() override { history_.reset(); }
  /// As a process that starts.
  void Restart(size_t cache_bytes = LogWithHistory::kCacheBytes) {
    history_.reset();
    Reopen();
    history_ = std::make_unique<LogWithHistory>(log_.get(), lake_.get(), cache_bytes);
  }
  void AppendEvents(uint32_t partition, int count) {
    for (int i = 0; i < count; ++i) AppendEvent(partition, "user", fmt::format("{}", appended_++));
  }
  void CatchUp() {
    const auto added = lake_->CatchUp("events");
    ASSERT_TRUE(added.ok()) << added.status();
  }
  void Truncate(uint32_t partition, Offset offset, Topic topic = Topic::kEvents) {
    ASSERT_TRUE(log_->Truncate(topic, partition, offset).ok());
  }
  Offset Begin(uint32_t partition = 0) {
    const auto begin = history_->BeginOffset(Topic::kEvents, partition);
    EXPECT_TRUE(begin.ok()) << begin.status();
    return begin.value_or(~Offset{0});
  }
  absl::Status ReadStatus(Offset offset) { return history_->Read(Topic::kEvents, 0, offset, 1, 1).status(); }
  /// All offsets of a partition from its begin on, by many small reads.
  std::vector<Offset> Offsets(uint32_t partition = 0, size_t records_max = 7) {
    std::vector<Offset> offsets;
    for (Offset at = Begin(partition); at < *log_->EndOffset(Topic::kEvents, partition);) {
      const auto read = history_->Read(Topic::kEvents, partition, at, records_max, 1u << 20);
      EXPECT_TRUE(read.ok()) << read.status();
      if (!read.ok() || read->next_offset <= at) break;
      for (const log::Record& record : read->records) offsets.push_back(record.offset);
      at = read->next_offset;
    }
    return offsets;
  }
  static std::vector<Offset> Range(Offset begin, Offset end) {
    std::vector<Offset> offsets;
    for (; begin < end; ++begin) offsets.push_back(begin);
    return offsets;
  }
  /// Three files of ten records of partition 0 each, of an hour each.
  std::vector<std::string> ThreeFiles() {
    for (int hour = 0; hour < 3; ++hour) {
      AppendEvents(0, 10);
      CatchUp();
      clock_.Set(clock_.NowUs() + kTestHourUs);
    }
    AppendEvents(0, 10);
    Truncate(0, 30);
    return Parts("events");
  }
  static void Damage(const std::string& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path) / 3));
    file.write("damage", 6);
  }

  int appended_ = 0;
  std::unique_ptr<LogWithHistory> history_ = std::make_unique<LogWithHistory>(log_.get(), lake_.get());
};

TEST_F(LogWithHistoryTest, ALakeThatNobodyNeedsIsNotTouched) {
  AppendEvents(0, 10);
  EXPECT_EQ(Begin(), 0u);
  EXPECT_EQ(Offsets(), Range(0, 10));
  Truncate(0, 4);
  EXPECT_EQ(Begin(), 4u);
  EXPECT_EQ(ReadStatus(3).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(*history_->OffsetAtTime(Topic::kEvents, 0, 0), 4u);
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/lake"));
}

TEST_F(LogWithHistoryTest, WhatTheLogHasDroppedIsReadFromTheLake) {
  AppendEvents(0, 10);
  AppendEvents(1, 5);
  CatchUp();
  AppendEvents(0, 10);
  Truncate(0, 8);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Begin(), 0u);
    EXPECT_EQ(Offsets(0), Range(0, 20));
    EXPECT_EQ(Offsets(1), Range(0, 5));
    // One read goes on in the log where the lake ends.
    const auto read = history_->Read(Topic::kEvents, 0, 3, 100, 1u << 20);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->records.size(), 17u);
    EXPECT_EQ(read->next_offset, 20u);
    EXPECT_EQ(ReadStatus(21).code(), absl::StatusCode::kOutOfRange);
    Restart();
  }
}

TEST_F(LogWithHistoryTest, AnswersOfTheServedTopicToo) {
  for (int i = 0; i < 6; ++i) Append(Topic::kServed, 1, "u", fmt::format("answer {}", i));
  ASSERT_TRUE(lake_->CatchUp("served").ok());
  Truncate(1, 5, Topic::kServed);
  EXPECT_EQ(*history_->BeginOffset(Topic::kServed, 1), 0u);
  const auto read = history_->Read(Topic::kServed, 1, 2, 100, 1u << 20);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->records.size(), 4u);
  EXPECT_EQ(read->records[0].value, "answer 2");
  // A compacted topic has no such past.
  for (int i = 0; i < 6; ++i) Append(Topic::kUsers, 1, "u", "");
  ASSERT_TRUE(lake_->CatchUp("users").ok());
  Truncate(1, 5, Topic::kUsers);
  EXPECT_EQ(*history_->BeginOffset(Topic::kUsers, 1), 5u);
}

TEST_F(LogWithHistoryTest, HistoryBeginsAfterWhatTheLakeMissed) {
  AppendEvents(0, 10);
  CatchUp();
  AppendEvents(0, 10);
  Truncate(0, 15);
  EXPECT_EQ(Begin(), 15u) << "the lake is behind";
  EXPECT_THAT(std::string(ReadStatus(3).message()), HasSubstr("the lake ends at offset 10, and the log begins at 15"));
  CatchUp();
  AppendEvents(0, 5);
  Truncate(0, 18);
  EXPECT_EQ(Begin(), 15u) << "what lies before the gap is not reached";
  EXPECT_EQ(Offsets(), Range(15, 25));
  const absl::Status before = ReadStatus(3);
  EXPECT_EQ(before.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(before.message()), HasSubstr("history begins at offset 15"));
  EXPECT_EQ(*history_->OffsetAtTime(Topic::kEvents, 0, 0), 15u);
  Restart();
  EXPECT_EQ(Offsets(), Range(15, 25));
}

TEST_F(LogWithHistoryTest, HistoryBeginsAfterADamagedFileAndSaysWhich) {
  const std::vector<std::string> files = ThreeFiles();
  ASSERT_EQ(files.size(), 3u);
  Damage(files[1]);
  Restart();
  EXPECT_EQ(Begin(), 20u);
  EXPECT_EQ(Offsets(), Range(20, 40));
  const absl::Status before = ReadStatus(5);
  EXPECT_EQ(before.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(before.message()), HasSubstr(files[1]));
  std::filesystem::remove(files[2]);
  Restart();
  EXPECT_EQ(Begin(), 30u);
  EXPECT_THAT(std::string(ReadStatus(25).message()), HasSubstr(files[2]));
}

TEST_F(LogWithHistoryTest, AFileThatIsDamagedWhileItIsReadIsAnErrorThatNamesIt) {
  const std::vector<std::string> files = ThreeFiles();
  EXPECT_EQ(Begin(), 0u);
  EXPECT_TRUE(ReadStatus(0).ok());
  std::filesystem::resize_file(files[1], std::filesystem::file_size(files[1]) / 2);
  const absl::Status damaged = ReadStatus(15);
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(damaged.message()), HasSubstr(files[1]));
  EXPECT_EQ(Begin(), 20u);
  EXPECT_EQ(Offsets(), Range(20, 40));
}

TEST_F(LogWithHistoryTest, ADamagedManifestIsAnErrorThatNamesIt) {
  ThreeFiles();
  std::ofstream(dir_ + "/lake/events/manifest.json") << "{";
  Restart();
  const auto begin = history_->BeginOffset(Topic::kEvents, 0);
  EXPECT_EQ(begin.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(begin.status().message()), HasSubstr("manifest.json"));
  EXPECT_EQ(ReadStatus(3).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(ReadStatus(30).ok()) << "what the log has";
}

TEST_F(LogWithHistoryTest, TheLakesRetentionMovesTheBegin) {
  ThreeFiles();
  EXPECT_EQ(Begin(), 0u);
  ASSERT_TRUE(lake_->Maintain({{"events", 5 * kTestHourUs / 2}}).ok());
  EXPECT_EQ(Begin(), 10u);
  EXPECT_EQ(Offsets(), Range(10, 40));
}

TEST_F(LogWithHistoryTest, TheLakeOfAnotherLogIsNoPastOfThisOne) {
  ThreeFiles();
  CatchUp();
  history_.reset();
  log_disk_.parts.clear();
  AppendEvents(0, 20);
  Truncate(0, 15);
  Restart();
  EXPECT_EQ(Begin(), 15u);
  EXPECT_EQ(Offsets(), Range(15, 20));
}

TEST_F(LogWithHistoryTest, FindsTimesAcrossFilesAndInTheLog) {
  std::vector<int64_t> times;
  for (int hour = 0; hour < 4; ++hour) {
    for (int i = 0; i < 5; ++i) {
      AppendEvents(0, 2);
      times.insert(times.end(), 2, clock_.NowUs());
      clock_.Set(clock_.NowUs() + kTestHourUs / 5);
    }
    if (hour < 3) CatchUp();
  }
  Truncate(0, 26);
  const auto expected = [&](int64_t time_us) {
    return static_cast<Offset>(std::ranges::lower_bound(times, time_us) - times.begin());
  };
  for (const int64_t time_us : times) {
    for (const int64_t asked_us : {time_us - 1, time_us, time_us + 1})
      EXPECT_EQ(*history_->OffsetAtTime(Topic::kEvents, 0, asked_us), expected(asked_us));
  }
}

TEST_F(LogWithHistoryTest, ManyRowGroupsAndACacheOfNothing) {
  constexpr int kRecords = 150'000;
  for (uint32_t p : {0u, 1u}) {
    std::vector<log::AppendRecord> batch;
    for (int i = 0; i < kRecords; ++i) batch.push_back({Topic::kEvents, p, "", fmt::format("\xff{}.{}", p, i)});
    ASSERT_TRUE(log_->Append(std::move(batch)).ok());
  }
  CatchUp();
  for (uint32_t p : {0u, 1u}) Truncate(p, kRecords);
  for (const size_t cache_bytes : {size_t{1}, size_t{16} << 20}) {
    Restart(cache_bytes);
    for (uint32_t p : {1u, 0u}) {
      Offset next = 0;
      while (next < kRecords) {
        const auto read = history_->Read(Topic::kEvents, p, next, 50'000, 1u << 30);
        ASSERT_TRUE(read.ok()) << read.status();
        for (const log::Record& record : read->records) {
          ASSERT_EQ(record.offset, next);
          ASSERT_EQ(record.value, fmt::format("\xff{}.{}", p, next++));
        }
        ASSERT_EQ(read->next_offset, next);
        EXPECT_LE(history_->cached_bytes(), cache_bytes);
      }
    }
  }
}

TEST_F(LogWithHistoryTest, WhoReadsTogetherGoesThroughTheFilesOnce) {
  for (int hour = 0; hour < 6; ++hour) {
    for (int turn = 0; turn < 3; ++turn) {
      AppendEvents(0, 10);
      if (hour % 2 == 0) AppendEvents(1, 10);
      CatchUp();
    }
    clock_.Set(clock_.NowUs() + kTestHourUs);
  }
  ASSERT_TRUE(lake_->Maintain({}).ok());
  AppendEvents(0, 10);
  Truncate(0, 180);
  Truncate(1, 90);
  std::vector<Offset> at(2);
  int rounds = 0;
  for (; at[0] < 180 || at[1] < 90; ++rounds) {
    ASSERT_LT(rounds, 100);
    const std::vector<Offset> until = history_->ReadTogether(Topic::kEvents, at);
    ASSERT_EQ(until.size(), 2u);
    ASSERT_TRUE(until[0] > at[0] || until[1] > at[1]);
    for (size_t p : {0u, 1u}) {
      ASSERT_GE(until[p], at[p]);
      at[p] = std::min(until[p], p == 0 ? Offset{180} : Offset{90});
    }
  }
  EXPECT_EQ(rounds, 1) << "so few rows are read at once";
  at = {180, 90};
  EXPECT_EQ(history_->ReadTogether(Topic::kEvents, at), (std::vector<Offset>{~Offset{0}, ~Offset{0}}));
}

TEST_F(LogWithHistoryTest, FilesThatAreReplacedMeanwhileChangeNothing) {
  for (int hour = 0; hour < 8; ++hour) {
    for (int i = 0; i < 4; ++i) {
      AppendEvents(0, 25);
      CatchUp();
    }
    clock_.Set(clock_.NowUs() + kTestHourUs);
  }
  Truncate(0, 800);
  AppendEvents(0, 10);
  Restart(1);  // every read opens the file
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) ASSERT_EQ(Offsets(0, 40), Range(0, 810));
  });
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> problems;
    // Every file in which record `round` times 40 lies is written anew, and the former one deleted at once.
    const auto changes = [&](const Table&) {
      RowChanges of_table;
      of_table.change = [&](uint32_t, const log::Record& record) -> std::optional<log::Record> {
        if (record.offset != static_cast<Offset>(round) * 40) return std::nullopt;
        return log::Record{record.offset, record.append_time_us, "", fmt::format("\xff{}", round)};
      };
      return of_table;
    };
    const auto rows = lake_->Redact(changes, {}, &problems);
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(*rows, 1u);
    if (round == 5) {
      ASSERT_TRUE(lake_->Maintain({}).ok());
    }
    const auto read = history_->Read(Topic::kEvents, 0, static_cast<Offset>(round) * 40, 1, 1);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->records.at(0).value, fmt::format("\xff{}", round));
  }
  done = true;
  reader.join();
}

/// Whatever happens to the log and the lake, everything that was appended is read as a twin has it.
TEST_F(LogWithHistoryTest, ReadsWhatATwinHas) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t bound) { return bound == 0 ? 0 : random() % bound; };
  std::map<uint32_t, std::vector<log::Record>> twin;
  for (int step = 0; step < 300; ++step) {
    switch (below(9)) {
      case 0:
      case 1:
      case 2:
        for (uint64_t n = below(60); n > 0; --n) {
          const auto p = static_cast<uint32_t>(below(2));
          clock_.Set(clock_.NowUs() + static_cast<int64_t>(below(kTestHourUs / 60)));
          const std::string value = fmt::format("\xff{}", random());
          twin[p].push_back({twin[p].size(), clock_.NowUs(), fmt::format("key {}", n), value});
          Append(Topic::kEvents, p, twin[p].back().key, value);
        }
        break;
      case 3:
        CatchUp();
        break;
      case 4: {  // retention, after the lake was brought up
        CatchUp();
        const auto p = static_cast<uint32_t>(below(2));
        const Offset begin = *log_->BeginOffset(Topic::kEvents, p), end = *log_->EndOffset(Topic::kEvents, p);
        Truncate(p, begin + below(end - begin + 1));
        break;
      }
      case 5:
        ASSERT_TRUE(lake_->Maintain({}).ok());
        break;
      case 6: {  // somebody is forgotten: in the log, then in the lake
        CatchUp();
        const auto p = static_cast<uint32_t>(below(2));
        if (twin[p].empty()) break;
        log::Record& changed = twin[p][below(twin[p].size())];
        changed.key.clear();
        changed.value = fmt::format("\xff{}", random());
        simulation::LogDisk::Part& part = log_disk_.parts[{Topic::kEvents, p}];
        if (changed.offset >= part.begin) part.records[changed.offset - part.begin] = changed;
        std::vector<std::string> problems;
        const auto changes = [&](const Table&) {
          RowChanges of_table;
          of_table.change = [&](uint32_t partition, const log::Record& record) -> std::optional<log::Record> {
            return partition == p && record.offset == changed.offset ? std::optional(changed) : std::nullopt;
          };
          return of_table;
        };
        ASSERT_TRUE(lake_->Redact(changes, {}, &problems).ok());
        break;
      }
      case 7:
        Restart(below(2) == 0 ? 1 : LogWithHistory::kCacheBytes);
        break;
      default:
        break;
    }
    for (const auto& [p, records] : twin) {
      ASSERT_EQ(Begin(p), 0u);
      const Offset from = below(records.size() + 1);
      const auto read = history_->Read(Topic::kEvents, p, from, 1 + below(50), 1u << 20);
      ASSERT_TRUE(read.ok()) << read.status();
      ASSERT_EQ(read->records.empty(), from == records.size());
      ASSERT_EQ(read->next_offset, from + read->records.size());
      for (const log::Record& record : read->records) {
        const log::Record& expected = records[record.offset];
        ASSERT_EQ(record.offset, from + static_cast<Offset>(&record - read->records.data()));
        ASSERT_EQ(std::tie(record.append_time_us, record.key, record.value),
                  std::tie(expected.append_time_us, expected.key, expected.value));
      }
      if (records.empty()) continue;
      const int64_t time_us = records[below(records.size())].append_time_us + static_cast<int64_t>(below(3)) - 1;
      const auto first = std::ranges::lower_bound(records, time_us, {}, &log::Record::append_time_us);
      ASSERT_EQ(*history_->OffsetAtTime(Topic::kEvents, p, time_us), static_cast<Offset>(first - records.begin()));
    }
  }
}

}  // namespace
}  // namespace bowerbird::lake
