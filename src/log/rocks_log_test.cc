#include "log/rocks_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "base/hash.h"
#include "base/rng.h"
#include "contract/manual_clock.h"
#include "fmt/format.h"
#include "log/log_store.h"
#include "store/file.h"

namespace bowerbird::log {
namespace {

using testing::HasSubstr;

uint64_t ChooseSeed() {
  const char* given = std::getenv("BOWERBIRD_SEED");
  if (given != nullptr) return std::strtoull(given, nullptr, 10);
  const std::string bytes = base::RandomBytes(sizeof(uint64_t));
  return base::Hash64(bytes);
}

class RocksLogTest : public testing::Test {
 protected:
  RocksLogTest() {
    options_.user_partitions = 2;
    options_.clock = &clock_;
    options_.segment_bytes = 64 << 10;
  }
  void TearDown() override {
    log_.reset();
    std::filesystem::remove_all(dir_);
  }
  absl::Status Open() {
    log_.reset();
    auto opened = RocksLog::Open(dir_, options_);
    if (!opened.ok()) return opened.status();
    log_ = *std::move(opened);
    return absl::OkStatus();
  }
  Offset AppendOne(Topic topic, uint32_t partition, std::string key, std::string value) {
    auto offsets = log_->Append({{topic, partition, std::move(key), std::move(value)}});
    EXPECT_TRUE(offsets.ok()) << offsets.status();
    return offsets.ok() ? offsets->front() : ~Offset{0};
  }
  /// 1,000-byte records until `bytes` are appended.
  void Fill(Topic topic, uint32_t partition, const std::string& key, size_t bytes) {
    for (size_t done = 0; done < bytes; done += 10'000) {
      std::vector<AppendRecord> batch;
      batch.reserve(10);
      for (int i = 0; i < 10; ++i) {
        batch.push_back({topic, partition, key, base::HexEncode(base::RandomBytes(500))});
      }
      ASSERT_TRUE(log_->Append(std::move(batch)).ok());
    }
  }
  std::vector<Record> ReadAll(Topic topic, uint32_t partition) {
    std::vector<Record> all;
    Offset offset = *log_->BeginOffset(topic, partition);
    while (offset < *log_->EndOffset(topic, partition)) {
      auto read = log_->Read(topic, partition, offset, 100, 1 << 20);
      EXPECT_TRUE(read.ok()) << read.status();
      if (!read.ok()) return all;
      offset = read->next_offset;
      for (Record& record : read->records) all.push_back(std::move(record));
    }
    return all;
  }
  /// The store deletes files while this walks, so one that was listed may be gone when it is measured.
  uint64_t FileBytes() const {
    uint64_t sum = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
      if (entry.path().extension() != ".sst") continue;
      std::error_code gone;
      const uint64_t bytes = entry.file_size(gone);
      if (!gone) sum += bytes;
    }
    return sum;
  }
  /// Opens the closed log's store beside the log's back.
  void WithStore(const std::function<void(rocksdb::DB&, rocksdb::ColumnFamilyHandle* events)>& change) {
    log_.reset();
    std::vector<store::RocksStore::Column> columns = {{"default", {}}};
    for (const Topic topic : kAllTopics) columns.push_back({std::string(TopicName(topic)), {}});
    auto opened = store::RocksStore::Open(dir_, rocksdb::DBOptions(), columns);
    ASSERT_TRUE(opened.ok()) << opened.status();
    change((*opened)->db(), (*opened)->column(static_cast<size_t>(Topic::kEvents)));
  }
  std::filesystem::path NewestFile(const std::string& extension) const {
    std::filesystem::path newest;
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
      if (entry.path().extension() == extension && entry.file_size() > 0) newest = std::max(newest, entry.path());
    }
    return newest;
  }
  static void FlipBit(const std::filesystem::path& path, uint64_t position) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(position));
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(position));
    file.put(byte);
    ASSERT_TRUE(file.good());
  }

  const std::string dir_ = testing::TempDir() + "rocks_log_test_" + base::HexEncode(base::RandomBytes(6));
  ManualClock clock_;
  RocksLogOptions options_;
  std::unique_ptr<RocksLog> log_;
};

TEST_F(RocksLogTest, OtherPartitionCountIsRefusedWithBothNumbers) {
  ASSERT_TRUE(Open().ok());
  options_.user_partitions = 3;
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("events has 2 partitions"));
  options_.user_partitions = 2;
  EXPECT_TRUE(Open().ok());
}

TEST_F(RocksLogTest, OptionsThatCannotBeAreRefused) {
  options_.user_partitions = 0;
  EXPECT_EQ(Open().code(), absl::StatusCode::kInvalidArgument);
  options_.user_partitions = 4097;
  EXPECT_EQ(Open().code(), absl::StatusCode::kInvalidArgument);
  options_.user_partitions = 2;
  options_.segment_bytes = 1;
  EXPECT_EQ(Open().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RocksLogTest, SecondOpenerIsToldThatTheLogIsInUse) {
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(RocksLog::Open(dir_, options_).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(RocksLogTest, ManySegmentsReadAsOne) {
  ASSERT_TRUE(Open().ok());
  Fill(Topic::kEvents, 0, "k", 1 << 20);
  Fill(Topic::kEvents, 1, "k", 1 << 20);
  const std::vector<Record> before = ReadAll(Topic::kEvents, 0);
  ASSERT_EQ(before.size(), 1050U);
  ASSERT_TRUE(Open().ok());
  const std::vector<Record> after = ReadAll(Topic::kEvents, 0);
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].offset, i);
    EXPECT_EQ(after[i].value, before[i].value);
  }
  const auto report = log_->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok()) << testing::PrintToString(report->problems);
  EXPECT_EQ(report->records, 2100U);
}

TEST_F(RocksLogTest, OffsetsOfATimeAreFoundAcrossSegments) {
  ASSERT_TRUE(Open().ok());
  for (int hour = 0; hour < 20; ++hour) {
    clock_.Set(hour * 1000);
    Fill(Topic::kEvents, 0, "k", 30'000);
  }
  for (int hour = 0; hour < 20; ++hour) {
    EXPECT_EQ(*log_->OffsetAtTime(Topic::kEvents, 0, hour * 1000), static_cast<Offset>(hour) * 30);
    EXPECT_EQ(*log_->OffsetAtTime(Topic::kEvents, 0, hour * 1000 - 1), static_cast<Offset>(hour) * 30);
  }
}

TEST_F(RocksLogTest, TruncationGivesFilesBackAsTheLogGoesOn) {
  ASSERT_TRUE(Open().ok());
  uint64_t most = 0;
  for (int round = 0; round < 20; ++round) {
    Fill(Topic::kEvents, 0, "k", 500'000);
    ASSERT_TRUE(log_->Truncate(Topic::kEvents, 0, *log_->EndOffset(Topic::kEvents, 0) - 1).ok());
    most = std::max(most, FileBytes());
  }
  EXPECT_LT(most, 5'000'000U) << "of 10 MB that were written";
  EXPECT_EQ(ReadAll(Topic::kEvents, 0).size(), 1U);
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(ReadAll(Topic::kEvents, 0).size(), 1U);
  EXPECT_TRUE(log_->Verify()->ok());
}

TEST_F(RocksLogTest, RetentionDropsWhatIsOlder) {
  options_.retention_us = {{Topic::kEvents, 1'000}};
  ASSERT_TRUE(Open().ok());
  clock_.Set(10'000);
  AppendOne(Topic::kEvents, 0, "k", "old");
  AppendOne(Topic::kServed, 0, "k", "old, but kept for ever");
  Fill(Topic::kEvents, 1, "k", 200'000);
  clock_.Set(11'000);
  AppendOne(Topic::kEvents, 0, "k", "young");
  ASSERT_TRUE(log_->ApplyRetention(11'000).ok());
  EXPECT_EQ(ReadAll(Topic::kEvents, 0).size(), 2U) << "not older than 1,000 us yet";
  ASSERT_TRUE(log_->ApplyRetention(11'001).ok());
  const std::vector<Record> kept = ReadAll(Topic::kEvents, 0);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].value, "young");
  EXPECT_EQ(*log_->BeginOffset(Topic::kEvents, 1), *log_->EndOffset(Topic::kEvents, 1));
  EXPECT_EQ(ReadAll(Topic::kServed, 0).size(), 1U);
  EXPECT_TRUE(log_->Verify()->ok());
}

TEST_F(RocksLogTest, CompactionKeepsTheLastOfEachKeyAndWhatIsYoung) {
  options_.retention_us = {{Topic::kCatalog, 1'000}};
  ASSERT_TRUE(Open().ok());
  clock_.Set(10'000);
  std::map<std::string, Offset> last;
  for (int round = 0; round < 3; ++round) {
    for (int item = 0; item < 100; ++item) {
      const std::string key = fmt::format("item-{}", item);
      last[key] = AppendOne(Topic::kCatalog, 0, key, std::string(1000, static_cast<char>('a' + round)));
    }
  }
  const Offset first_young = *log_->EndOffset(Topic::kCatalog, 0);
  clock_.Set(20'000);
  // Superseded, but not older than the retention; and enough to seal the segments before.
  for (int i = 0; i < 100; ++i) AppendOne(Topic::kCatalog, 0, "item-0", std::string(1000, 'y'));
  ASSERT_TRUE(log_->ApplyRetention(20'500).ok());
  for (int round = 0; round < 2; ++round) {
    std::map<std::string, Offset> kept;
    size_t young = 0;
    for (const Record& record : ReadAll(Topic::kCatalog, 0)) {
      if (record.offset >= first_young) {
        ++young;
      } else if (record.offset >= 150) {  // what lies before is in segments that are surely sealed
        EXPECT_TRUE(kept.emplace(record.key, record.offset).second || record.offset >= 200) << record.key;
      } else {
        ADD_FAILURE() << "superseded record at offset " << record.offset << " is still there";
      }
    }
    EXPECT_EQ(young, 100U);
    for (const auto& [key, offset] : last) {
      if (key != "item-0") {
        EXPECT_TRUE(log_->Read(Topic::kCatalog, 0, offset, 1, 1)->records.at(0).key == key);
      }
    }
    EXPECT_EQ(*log_->BeginOffset(Topic::kCatalog, 0), 0U) << "compaction does not move the begin";
    EXPECT_GE(*log_->OffsetAtTime(Topic::kCatalog, 0, 0), 150U);
    EXPECT_EQ(*log_->OffsetAtTime(Topic::kCatalog, 0, 20'000), first_young);
    const auto report = log_->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok()) << testing::PrintToString(report->problems);
    ASSERT_TRUE(Open().ok());
  }
}

TEST_F(RocksLogTest, FlippedBitInAStoredValueIsDataLoss) {
  ASSERT_TRUE(Open().ok());
  AppendOne(Topic::kEvents, 0, "k", "value");
  AppendOne(Topic::kEvents, 1, "k", "untouched");
  WithStore([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* events) {
    const std::string key = EncodeRunKey({0, 0, 0});
    std::string value;
    ASSERT_TRUE(db.Get({}, events, key, &value).ok());
    value[value.size() - 1] ^= 1;
    ASSERT_TRUE(db.Put({}, events, key, value).ok());
  });
  ASSERT_TRUE(Open().ok());
  const absl::Status status = log_->Read(Topic::kEvents, 0, 0, 10, 1000).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("topic events, partition 0: run at offset 0"));
  EXPECT_EQ(ReadAll(Topic::kEvents, 1).size(), 1U);
  const auto report = log_->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->problem_count, 1U);
  EXPECT_EQ(report->records, 1U);
}

TEST_F(RocksLogTest, MissingRunIsDataLossAndNotAGap) {
  ASSERT_TRUE(Open().ok());
  for (int i = 0; i < 3; ++i) AppendOne(Topic::kEvents, 0, "k", "value");
  WithStore([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* events) {
    ASSERT_TRUE(db.Delete({}, events, EncodeRunKey({0, 0, 1})).ok());
  });
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(log_->Read(Topic::kEvents, 0, 0, 10, 1000).status().code(), absl::StatusCode::kDataLoss);
  const auto report = log_->Verify();
  ASSERT_EQ(report->problem_count, 1U);
  EXPECT_THAT(report->problems[0], HasSubstr("offsets 1 to 1 are missing"));
}

TEST_F(RocksLogTest, FlippedBitInATableFileIsDataLoss) {
  ASSERT_TRUE(Open().ok());
  Fill(Topic::kEvents, 0, "k", 100'000);
  ASSERT_TRUE(Open().ok());  // recovery writes what is in the write-ahead log to files
  log_.reset();
  const std::filesystem::path file = NewestFile(".sst");
  ASSERT_FALSE(file.empty());
  for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
    if (entry.path().extension() == ".sst" && entry.file_size() > 20'000) FlipBit(entry.path(), 5'000);
  }
  const absl::Status opened = Open();
  if (!opened.ok()) {
    EXPECT_EQ(opened.code(), absl::StatusCode::kDataLoss) << opened;
    return;
  }
  EXPECT_EQ(log_->Read(Topic::kEvents, 0, 0, 1000, 1 << 20).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(log_->Verify()->ok());
}

TEST_F(RocksLogTest, DamagedWriteAheadLogIsRefusedAndNotCutShort) {
  options_.segment_bytes = 64 << 20;
  ASSERT_TRUE(Open().ok());
  for (int i = 0; i < 100; ++i) AppendOne(Topic::kEvents, 0, "k", std::string(1000, 'v'));
  log_.reset();
  const std::filesystem::path wal = NewestFile(".log");
  ASSERT_FALSE(wal.empty());
  FlipBit(wal, std::filesystem::file_size(wal) / 2);
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("had been acknowledged"));
  EXPECT_EQ(Open().code(), absl::StatusCode::kDataLoss) << "and again, until someone decides";
  std::filesystem::remove(dir_ + "/durable_mark");
  ASSERT_TRUE(Open().ok());
  EXPECT_LT(ReadAll(Topic::kEvents, 0).size(), 100U);
  EXPECT_TRUE(log_->Verify()->ok());
}

TEST_F(RocksLogTest, DestructorFinishesWhatWasAppended) {
  ASSERT_TRUE(Open().ok());
  std::atomic<int> acknowledged = 0;
  for (int i = 0; i < 200; ++i) {
    log_->AppendAsync({{Topic::kEvents, 0, "k", std::string(1000, 'v')}},
                      [&](const absl::StatusOr<std::vector<Offset>>& result) { acknowledged += result.ok() ? 1 : 0; });
  }
  log_.reset();
  EXPECT_EQ(acknowledged, 200);
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(ReadAll(Topic::kEvents, 0).size(), 200U);
}

TEST_F(RocksLogTest, StopAnswersWhatWasBegunAndRefusesTheRest) {
  ASSERT_TRUE(Open().ok());
  std::atomic<int> acknowledged = 0, refused = 0;
  const auto count = [&](const absl::StatusOr<std::vector<Offset>>& result) {
    ++(result.ok() ? acknowledged : refused);
  };
  for (int i = 0; i < 200; ++i) log_->AppendAsync({{Topic::kEvents, 0, "k", std::string(1000, 'v')}}, count);
  log_->StopAppends();
  EXPECT_EQ(acknowledged, 200);
  EXPECT_TRUE(absl::IsUnavailable(log_->Append({{Topic::kEvents, 0, "k", "v"}}).status()));
  log_->AppendAsync({{Topic::kEvents, 0, "k", "v"}}, count);
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(ReadAll(Topic::kEvents, 0).size(), 200U);
  log_->StopAppends();
}

TEST_F(RocksLogTest, AppendsWaitWhenTheQueueIsFull) {
  options_.queue_bytes_max = 10'000;
  ASSERT_TRUE(Open().ok());
  std::atomic<int> in_flight = 0;
  std::atomic<int> most = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        log_->AppendAsync({{Topic::kEvents, 0, "k", std::string(4000, 'v')}}, [&](const auto& result) {
          EXPECT_TRUE(result.ok());
          --in_flight;
        });
        most = std::max(most.load(), ++in_flight);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 4 + 2 * 3) << "two fit the queue, the writer holds as many, four threads are in between";
  // One batch that is larger than the queue passes alone.
  EXPECT_TRUE(log_->Append({{Topic::kEvents, 0, "k", std::string(50'000, 'v')}}).ok());
  log_.reset();
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(ReadAll(Topic::kEvents, 0).size(), 201U);
}

// Random operations against a plain map: what is retained must be equal after each.
TEST_F(RocksLogTest, AgreesWithASimpleTwin) {
  const uint64_t seed = ChooseSeed();
  SCOPED_TRACE(fmt::format("seed {}; run again with BOWERBIRD_SEED={}", seed, seed));
  base::Rng rng(seed);
  struct Twin {
    std::map<Offset, Record> records;
    Offset begin = 0, end = 0;
  };
  const std::vector<std::pair<Topic, uint32_t>> places = {
      {Topic::kEvents, 0}, {Topic::kEvents, 1}, {Topic::kServed, 0}, {Topic::kItemTables, 0}};
  std::map<std::pair<Topic, uint32_t>, Twin> twins;
  options_.retention_us = {{Topic::kEvents, 50'000}};
  int64_t now_us = 1'000'000;
  int64_t last_append_us = 0;
  ASSERT_TRUE(Open().ok());
  for (int step = 0; step < 600; ++step) {
    now_us += static_cast<int64_t>(rng.Below(2'000)) - 300;
    clock_.Set(now_us);
    const auto place = places[rng.Below(places.size())];
    Twin& twin = twins[place];
    const uint64_t choice = rng.Below(100);
    if (choice < 70) {
      std::vector<AppendRecord> batch;
      for (uint64_t i = rng.Below(30) + 1; i > 0; --i) {
        const auto [topic, partition] = places[rng.Below(places.size())];
        const size_t bytes = rng.Below(50) == 0 ? rng.Below(100'000) : rng.Below(400);
        batch.push_back(
            {topic, partition, fmt::format("key-{}", rng.Below(20)), std::string(bytes, static_cast<char>(rng()))});
      }
      auto offsets = log_->Append(batch);
      ASSERT_TRUE(offsets.ok()) << offsets.status();
      last_append_us = std::max(last_append_us, now_us);
      for (size_t i = 0; i < batch.size(); ++i) {
        Twin& at = twins[{batch[i].topic, batch[i].partition}];
        ASSERT_EQ((*offsets)[i], at.end);
        at.records[at.end] = {at.end, last_append_us, batch[i].key, batch[i].value};
        ++at.end;
      }
    } else if (choice < 80) {
      const Offset to = twin.begin + rng.Below(twin.end - twin.begin + 1);
      ASSERT_TRUE(log_->Truncate(place.first, place.second, to).ok());
      twin.begin = to;
      twin.records.erase(twin.records.begin(), twin.records.lower_bound(to));
    } else if (choice < 85) {
      ASSERT_TRUE(log_->ApplyRetention(now_us).ok());
      for (auto& [where, at] : twins) {
        if (where.first != Topic::kEvents) continue;
        while (!at.records.empty() && at.records.begin()->second.append_time_us < now_us - 50'000) {
          at.records.erase(at.records.begin());
        }
        at.begin = at.records.empty() ? at.end : at.records.begin()->first;
      }
    } else if (choice < 92) {
      ASSERT_TRUE(Open().ok());
    } else {
      const int64_t time_us = last_append_us - static_cast<int64_t>(rng.Below(100'000));
      Offset expected = twin.end;
      for (const auto& [offset, record] : twin.records) {
        if (record.append_time_us < time_us) continue;
        expected = offset;
        break;
      }
      ASSERT_EQ(*log_->OffsetAtTime(place.first, place.second, time_us), expected);
    }
    ASSERT_EQ(*log_->BeginOffset(place.first, place.second), twin.begin);
    ASSERT_EQ(*log_->EndOffset(place.first, place.second), twin.end);
    const Offset from = twin.begin + rng.Below(twin.end - twin.begin + 1);
    auto read = log_->Read(place.first, place.second, from, 40, 1 << 20);
    ASSERT_TRUE(read.ok()) << read.status();
    auto expected = twin.records.lower_bound(from);
    for (const Record& record : read->records) {
      ASSERT_EQ(record.offset, expected->first);
      ASSERT_EQ(record.append_time_us, expected->second.append_time_us);
      ASSERT_EQ(record.key, expected->second.key);
      ASSERT_TRUE(record.value == expected->second.value);
      ++expected;
    }
    ASSERT_EQ(read->next_offset, expected == twin.records.end() ? twin.end : expected->first);
  }
  const auto report = log_->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok()) << testing::PrintToString(report->problems);
  size_t records = 0;
  for (const auto& [place, twin] : twins) records += twin.records.size();
  EXPECT_EQ(report->records, records);
}

TEST_F(RocksLogTest, WhatIsRewrittenIsInNoFileAndNothingElseChanges) {
  ASSERT_TRUE(Open().ok());
  std::vector<ManagedLog::Replacement> replacements;
  for (int i = 0; i < 300; ++i) {
    const bool secret = i % 7 == 0;
    const std::string value = secret ? fmt::format("a secret {}", i) : base::HexEncode(base::RandomBytes(400));
    const Offset offset = AppendOne(Topic::kEvents, 1, secret ? "whose" : "another", value);
    if (secret) replacements.push_back({offset, "", fmt::format("redacted {}", i)});
  }
  Fill(Topic::kServed, 0, "k", 100'000);
  const std::vector<Record> before = ReadAll(Topic::kEvents, 1);
  ASSERT_TRUE(log_->Rewrite(Topic::kEvents, 1, replacements).ok());
  const auto check = [&] {
    const std::vector<Record> after = ReadAll(Topic::kEvents, 1);
    ASSERT_EQ(after.size(), before.size());
    size_t next = 0;
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(after[i].offset, before[i].offset);
      EXPECT_EQ(after[i].append_time_us, before[i].append_time_us);
      const bool changed = next < replacements.size() && replacements[next].offset == after[i].offset;
      EXPECT_EQ(after[i].key, changed ? replacements[next].key : before[i].key);
      EXPECT_EQ(after[i].value, changed ? replacements[next].value : before[i].value);
      next += changed;
    }
    const auto verified = log_->Verify();
    ASSERT_TRUE(verified.ok());
    EXPECT_TRUE(verified->ok()) << testing::PrintToString(verified->problems);
  };
  check();
  const auto secrets = [&] {
    uint64_t found = 0;
    EXPECT_TRUE(log_->VisitStored([&](Topic, std::string_view key, std::string_view value) {
                      found += value.find("a secret") != std::string_view::npos || key.find("whose") != key.npos;
                    })
                    .ok());
    for (const auto& file : std::filesystem::directory_iterator(dir_)) {
      const auto bytes = store::ReadFile(file.path().string());
      found += bytes.ok() && bytes->find("a secret") != std::string::npos;
    }
    return found;
  };
  EXPECT_GT(secrets(), 0u);
  ASSERT_TRUE(log_->EraseReplaced(false).ok());
  EXPECT_EQ(secrets(), 0u);
  check();
  ASSERT_TRUE(Open().ok());
  check();
  EXPECT_EQ(secrets(), 0u);
  EXPECT_EQ(AppendOne(Topic::kEvents, 1, "k", "v"), before.size());
}

TEST_F(RocksLogTest, RewriteNeedsRecordsThatAreThereAndPassesOverThoseThatWereDropped) {
  ASSERT_TRUE(Open().ok());
  for (int i = 0; i < 10; ++i) AppendOne(Topic::kEvents, 0, "k", fmt::format("{}", i));
  EXPECT_TRUE(
      absl::IsInvalidArgument(log_->Rewrite(Topic::kEvents, 0, std::vector<ManagedLog::Replacement>{{10, "", "x"}})));
  EXPECT_TRUE(absl::IsInvalidArgument(log_->Rewrite(Topic::kEvents, 9, {})));
  ASSERT_TRUE(log_->Truncate(Topic::kEvents, 0, 5).ok());
  ASSERT_TRUE(
      log_->Rewrite(Topic::kEvents, 0, std::vector<ManagedLog::Replacement>{{2, "", "x"}, {7, "", "seven"}}).ok());
  const std::vector<Record> left = ReadAll(Topic::kEvents, 0);
  ASSERT_EQ(left.size(), 5u);
  EXPECT_EQ(left[0].value, "5");
  EXPECT_EQ(left[2].value, "seven");
}

TEST_F(RocksLogTest, WhatWasRewrittenBeforeARestartIsErasedWhenEverythingIs) {
  ASSERT_TRUE(Open().ok());
  for (int i = 0; i < 20; ++i) AppendOne(Topic::kUsers, 0, "somebody", "an attribute of somebody");
  ASSERT_TRUE(log_->Rewrite(Topic::kUsers, 0, std::vector<ManagedLog::Replacement>{{3, "", ""}, {19, "", ""}}).ok());
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(log_->EraseReplaced(true).ok());
  uint64_t runs = 0;
  ASSERT_TRUE(log_->VisitStored([&](Topic, std::string_view, std::string_view) { ++runs; }).ok());
  EXPECT_EQ(runs, 20u) << "one version of each run";
  EXPECT_EQ(ReadAll(Topic::kUsers, 0)[3].key, "");
}

TEST_F(RocksLogTest, ALogFromBeforeATopicGetsItAndIsRefusedByAProgramFromBeforeIt) {
  LogStore::Options options;
  options.segment_bytes = 64 << 10;
  options.memory = store::MakeRocksMemory(1 << 20, 1 << 20);
  for (const Topic topic : kAllTopics) options.partitions.push_back(HasOnePartition(topic) ? 1 : 2);
  LogStore::Options before = options;
  before.partitions.pop_back();
  // The stores close before the next one opens.
  const auto open = [&](const LogStore::Options& with) { return LogStore::Open(dir_, with).status(); };
  EXPECT_TRUE(open(before).ok());
  EXPECT_TRUE(open(options).ok());
  EXPECT_TRUE(open(options).ok());
  const absl::Status refused = open(before);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(refused.message(), HasSubstr("topics that this program does not know"));
  options.partitions.back() = 4;
  EXPECT_THAT(open(options).message(), HasSubstr("topic experiments has 1 partitions"));
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(AppendOne(Topic::kExperiments, 0, "e", "definition"), 0u);
}

}  // namespace
}  // namespace bowerbird::log
