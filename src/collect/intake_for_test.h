#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.h"
#include "config/config.h"
#include "log/rocks_log.h"

namespace bowerbird::collect {

class TestClock final : public base::Clock {
 public:
  int64_t NowUs() const override { return now_us; }
  std::atomic<int64_t> now_us = 1'800'000'000'000'000;
};

inline std::shared_ptr<const config::Config> ParseConfig(std::string_view text) {
  const config::ParseResult parsed = config::Parse(text, "test.toml");
  for (const config::Problem& problem : parsed.problems) ADD_FAILURE() << problem.ToString();
  return parsed.config;
}

/// Passes everything on to another log until told to fail.
class FailingLog final : public log::EventLog {
 public:
  explicit FailingLog(log::EventLog* log) : log_(log) {}
  bool fail_before_write = false;
  bool fail_after_write = false;  ///< the records are there, and the caller is told otherwise

  uint32_t PartitionCount(log::Topic topic) const override { return log_->PartitionCount(topic); }
  absl::StatusOr<std::vector<log::Offset>> Append(std::vector<log::AppendRecord> batch) override {
    if (fail_before_write) return absl::UnavailableError("disk full");
    auto result = log_->Append(std::move(batch));
    if (fail_after_write) return absl::UnavailableError("fsync failed");
    return result;
  }
  void AppendAsync(std::vector<log::AppendRecord> batch, AppendDone done) override {
    if (fail_before_write) return done(absl::UnavailableError("disk full"));
    log_->AppendAsync(std::move(batch), std::move(done));
  }
  absl::StatusOr<log::ReadResult> Read(log::Topic topic, uint32_t partition, log::Offset offset, size_t records_max,
                                       size_t bytes_max) const override {
    return log_->Read(topic, partition, offset, records_max, bytes_max);
  }
  absl::StatusOr<log::Offset> BeginOffset(log::Topic topic, uint32_t partition) const override {
    return log_->BeginOffset(topic, partition);
  }
  absl::StatusOr<log::Offset> EndOffset(log::Topic topic, uint32_t partition) const override {
    return log_->EndOffset(topic, partition);
  }
  bool WaitForAppend(log::Topic topic, std::span<const log::Offset> seen_ends, int64_t timeout_us) const override {
    return log_->WaitForAppend(topic, seen_ends, timeout_us);
  }
  absl::Status Truncate(log::Topic topic, uint32_t partition, log::Offset offset) override {
    return log_->Truncate(topic, partition, offset);
  }
  absl::StatusOr<log::Offset> OffsetAtTime(log::Topic topic, uint32_t partition, int64_t time_us) const override {
    return log_->OffsetAtTime(topic, partition, time_us);
  }
  absl::StatusOr<std::vector<log::PartitionStats>> Stats() const override { return log_->Stats(); }

 private:
  log::EventLog* const log_;
};

/// A log and a catalog in a folder of their own, as an app has them.
class IntakeTest : public testing::Test {
 protected:
  explicit IntakeTest(std::string_view config_text) : config_(ParseConfig(config_text)) {
    std::string dir = (std::filesystem::temp_directory_path() / "bowerbird_intake_XXXXXX").string();
    EXPECT_NE(mkdtemp(dir.data()), nullptr);
    dir_ = dir;
    OpenLog();
    OpenCatalog();
  }
  ~IntakeTest() override {
    catalog_.reset();
    failing_log_.reset();
    log_.reset();
    std::filesystem::remove_all(dir_);
  }

  void OpenLog() {
    log::RocksLogOptions options;
    options.user_partitions = 4;
    options.clock = &clock_;
    auto opened = log::RocksLog::Open(dir_ + "/log", options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = *std::move(opened);
    failing_log_ = std::make_unique<FailingLog>(log_.get());
  }
  void OpenCatalog() {
    catalog_.reset();
    auto opened = catalog::Catalog::Open(dir_ + "/catalog", config_, hasher_, catalog::Catalog::Options());
    ASSERT_TRUE(opened.ok()) << opened.status();
    catalog_ = *std::move(opened);
  }

  std::vector<log::Record> ReadAll(log::Topic topic, uint32_t partition) const {
    std::vector<log::Record> records;
    log::Offset offset = 0;
    while (true) {
      auto read = log_->Read(topic, partition, offset, 1000, 1 << 20);
      EXPECT_TRUE(read.ok()) << read.status();
      if (!read.ok() || read->records.empty()) return records;
      offset = read->next_offset;
      for (log::Record& record : read->records) records.push_back(std::move(record));
    }
  }

  const std::shared_ptr<const config::Config> config_;
  const catalog::KeyHasher hasher_{base::HashSeed{1, 2, 3}};
  TestClock clock_;
  std::string dir_;
  std::unique_ptr<log::RocksLog> log_;
  std::unique_ptr<FailingLog> failing_log_;
  std::unique_ptr<catalog::Catalog> catalog_;
};

}  // namespace bowerbird::collect
