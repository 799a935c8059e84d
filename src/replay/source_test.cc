#include "replay/source.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "log/rocks_log.h"

namespace bowerbird::replay {
namespace {

using log::Offset;
using log::Topic;

class StepClock final : public base::Clock {
 public:
  int64_t NowUs() const override { return now_us += 1'000'000; }
  mutable std::atomic<int64_t> now_us = 0;
};

class SourceTest : public testing::Test {
 protected:
  SourceTest() {
    std::filesystem::remove_all(dir_);
    log::RocksLogOptions options;
    options.user_partitions = 4;
    options.clock = &clock_;
    log_ = *log::RocksLog::Open(dir_, options);
  }
  ~SourceTest() override {
    log_ = nullptr;
    std::filesystem::remove_all(dir_);
  }
  void Append(uint32_t partition, int from, int to) {
    std::vector<log::AppendRecord> batch;
    for (int i = from; i < to; ++i) {
      v1::Event event;
      event.set_client_id(fmt::format("{}", i));
      batch.push_back({Topic::kEvents, partition, "user", event.SerializeAsString()});
    }
    ASSERT_TRUE(log_->Append(std::move(batch)).ok());
  }

  const std::string dir_ =
      (std::filesystem::temp_directory_path() / fmt::format("bowerbird_source_test_{}", getpid())).string();
  StepClock clock_;
  std::unique_ptr<log::RocksLog> log_;
};

TEST_F(SourceTest, ReplaysEveryPartitionInOrder) {
  for (uint32_t p = 0; p < 4; ++p) Append(p, 0, 3000);
  const Source source(log_.get());
  const auto range = source.Whole();
  ASSERT_TRUE(range.ok());
  for (const uint32_t threads : {1, 3, 9}) {
    std::vector<int> next(4, 0);
    const absl::Status replayed = source.ForEach(*range, threads, [&](uint32_t p, const EventBatch& batch) {
      for (const EventRecord& record : batch.records()) {
        EXPECT_EQ(record.event->client_id(), fmt::format("{}", next[p]++));
        EXPECT_EQ(record.key, "user");
      }
      return absl::OkStatus();
    });
    EXPECT_TRUE(replayed.ok()) << replayed;
    EXPECT_EQ(next, std::vector<int>(4, 3000));
  }
}

TEST_F(SourceTest, KeepsToItsRange) {
  Append(1, 0, 100);
  Append(1, 100, 200);
  const Source source(log_.get());
  const auto count = [&](const Range& range) {
    size_t records = 0;
    EXPECT_TRUE(source
                    .ForEach(range, 1,
                             [&](uint32_t, const EventBatch& batch) {
                               records += batch.records().size();
                               return absl::OkStatus();
                             })
                    .ok());
    return records;
  };
  EXPECT_EQ(count(*source.Until(std::vector<Offset>{0, 70, 0, 0})), 70u);
  EXPECT_EQ(count({{0, 50, 0, 0}, {0, 120, 0, 0}}), 70u);
  const int64_t second_append_us = log_->Read(Topic::kEvents, 1, 100, 1, 1)->records.at(0).append_time_us;
  EXPECT_EQ(count(*source.Appended(0, second_append_us)), 100u);
  EXPECT_EQ(count(*source.Appended(second_append_us, second_append_us + 1'000'000'000)), 100u);
  EXPECT_EQ(source.Until(std::vector<Offset>{0, 201, 0, 0}).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(source.Until(std::vector<Offset>{0}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SourceTest, PassesOnWhatIsNotAnEvent) {
  Append(0, 0, 1);
  ASSERT_TRUE(log_->Append({{Topic::kEvents, 0, "bad", "\xff\xff"}}).ok());
  Append(0, 1, 2);
  const Source source(log_.get());
  EventBatch batch;
  ASSERT_TRUE(source.Read(0, 0, 100, &batch).ok());
  ASSERT_EQ(batch.records().size(), 3u);
  EXPECT_EQ(batch.records()[1].event, nullptr);
  EXPECT_EQ(batch.records()[1].value, "\xff\xff");
  EXPECT_EQ(batch.next_offset(), 3u);
  ASSERT_TRUE(source.Read(0, 3, 100, &batch).ok());
  EXPECT_TRUE(batch.records().empty());
  EXPECT_EQ(batch.next_offset(), 3u);
}

TEST_F(SourceTest, StartsWhereTheLogStarts) {
  Append(2, 0, 50);
  ASSERT_TRUE(log_->Truncate(Topic::kEvents, 2, 20).ok());
  const Source source(log_.get());
  const auto range = source.Whole();
  ASSERT_TRUE(range.ok());
  EXPECT_EQ(range->begin[2], 20u);
  EXPECT_EQ(range->end[2], 50u);
}

TEST_F(SourceTest, TheVisitorsErrorStopsTheReplay) {
  for (uint32_t p = 0; p < 4; ++p) Append(p, 0, 3000);
  const Source source(log_.get());
  std::atomic<int> visits = 0;
  const absl::Status status = source.ForEach(*source.Whole(), 2, [&](uint32_t, const EventBatch&) {
    ++visits;
    return absl::AbortedError("enough");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_LE(visits, 2);
}

}  // namespace
}  // namespace bowerbird::replay
