#include "app/checkpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "store/file.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;

class SteppingClock final : public base::Clock {
 public:
  int64_t NowUs() const override { return now_us; }
  int64_t now_us = 1'700'000'000'000'000;
};

class CheckpointsTest : public testing::Test {
 protected:
  CheckpointsTest() {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    files_ = *remote::RemoteFiles::Open(dir_ + "/elsewhere");
    checkpoints_ = std::make_unique<Checkpoints>(kOf, files_.get(), &clock_);
  }
  /// A checkpoint of a state that says `text`.
  absl::StatusOr<CheckpointReport> Take(const std::string& text, uint32_t kept = 10) {
    clock_.now_us += 1'000'000;
    return checkpoints_->Take(
        [&](const std::string& to) -> absl::Status {
          fs::create_directories(to);
          for (const char* name : {"CURRENT", "000007.sst"}) {
            if (absl::Status status = store::AtomicWriteFile(to + "/" + name, name + text); !status.ok()) return status;
          }
          return absl::OkStatus();
        },
        dir_ + "/scratch", kept, [] { return absl::OkStatus(); });
  }
  /// What a restored state says, or why there is none.
  std::string Restored() {
    refused_.clear();
    fs::remove_all(dir_ + "/state");
    const auto report =
        checkpoints_->Restore(dir_ + "/state", [this](const absl::Status& status) { refused_.push_back(status); });
    if (!report.ok()) return std::string(absl::StatusCodeToString(report.status().code()));
    const std::string text = *store::ReadFile(dir_ + "/state/CURRENT");
    EXPECT_EQ(*store::ReadFile(dir_ + "/state/000007.sst"), "000007.sst" + text.substr(7));
    return text.substr(7);
  }
  std::string Path(const CheckpointReport& report, const std::string& file) const {
    return dir_ + "/elsewhere/shop/node-1-of-3/" + report.version + "/" + file;
  }
  static void FlipBit(const std::string& path) {
    std::string bytes = *store::ReadFile(path);
    bytes[bytes.size() / 2] ^= 4;
    std::ofstream(path, std::ios::binary) << bytes;
  }

  static inline const Checkpoints::Of kOf{"shop", {1, 3}, "fingerprint"};
  const std::string dir_ = testing::TempDir() + "bowerbird_checkpoints_test";
  SteppingClock clock_;
  std::unique_ptr<remote::RemoteFiles> files_;
  std::unique_ptr<Checkpoints> checkpoints_;
  std::vector<absl::Status> refused_;
};

TEST_F(CheckpointsTest, TheNewestIsRestored) {
  EXPECT_EQ(Restored(), "NOT_FOUND");
  ASSERT_TRUE(Take("one").ok());
  ASSERT_TRUE(Take("two").ok());
  EXPECT_EQ(Restored(), "two");
  EXPECT_TRUE(refused_.empty());
  EXPECT_FALSE(fs::exists(dir_ + "/scratch"));
}

TEST_F(CheckpointsTest, AFlippedBitInAnyFileIsFoundAndTheOneBeforeTaken) {
  ASSERT_TRUE(Take("one").ok());
  for (const char* file : {"CURRENT", "000007.sst", "manifest.json"}) {
    const auto report = Take("two");
    ASSERT_TRUE(report.ok());
    FlipBit(Path(*report, file));
    EXPECT_EQ(Restored(), "one") << file;
    ASSERT_EQ(refused_.size(), 1) << file;
    EXPECT_TRUE(absl::IsDataLoss(refused_[0]));
    EXPECT_THAT(std::string(refused_[0].message()), testing::HasSubstr(report->version));
    fs::remove_all(fs::path(Path(*report, "")).parent_path());
  }
}

TEST_F(CheckpointsTest, AMissingFileIsFound) {
  ASSERT_TRUE(Take("one").ok());
  const auto report = Take("two");
  fs::remove(Path(*report, "000007.sst"));
  EXPECT_EQ(Restored(), "one");
  EXPECT_EQ(refused_.size(), 1);
}

TEST_F(CheckpointsTest, OneThatWasNotFinishedIsNone) {
  ASSERT_TRUE(Take("one").ok());
  const auto report = Take("two");
  fs::remove(Path(*report, "manifest.json"));
  EXPECT_EQ(Restored(), "one");
  EXPECT_TRUE(refused_.empty()) << "a crash is no damage";
  // And it goes with the next one.
  ASSERT_TRUE(Take("three").ok());
  EXPECT_FALSE(fs::exists(Path(*report, "")));
}

TEST_F(CheckpointsTest, WhenNoneFitsNoneIsTaken) {
  for (const char* text : {"one", "two"}) FlipBit(Path(*Take(text), "CURRENT"));
  EXPECT_EQ(Restored(), "NOT_FOUND");
  EXPECT_EQ(refused_.size(), 2);
  EXPECT_FALSE(fs::exists(dir_ + "/state"));
  EXPECT_FALSE(fs::exists(dir_ + "/state.restoring"));
}

TEST_F(CheckpointsTest, OldOnesGo) {
  std::vector<CheckpointReport> reports;
  for (int i = 0; i < 5; ++i) reports.push_back(*Take(std::to_string(i), 2));
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(fs::exists(Path(reports[i], "")), i >= 3) << i;
}

TEST_F(CheckpointsTest, AClockThatGoesBackDoesNotMakeTheNewestOld) {
  ASSERT_TRUE(Take("one").ok());
  clock_.now_us -= 3'600'000'000;
  ASSERT_TRUE(Take("two").ok());
  EXPECT_EQ(Restored(), "two");
}

TEST_F(CheckpointsTest, AnotherSecretsStateIsRefused) {
  ASSERT_TRUE(Take("one").ok());
  checkpoints_ = std::make_unique<Checkpoints>(Checkpoints::Of{"shop", {1, 3}, "other"}, files_.get(), &clock_);
  EXPECT_EQ(Restored(), "NOT_FOUND");
  ASSERT_EQ(refused_.size(), 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused_[0]));
}

TEST_F(CheckpointsTest, ACopyThatFailsLeavesNothing) {
  const auto failed = checkpoints_->Take([](const std::string&) { return absl::UnavailableError("the disk is full"); },
                                         dir_ + "/scratch", 3, [] { return absl::OkStatus(); });
  EXPECT_TRUE(absl::IsUnavailable(failed.status()));
  EXPECT_EQ(Restored(), "NOT_FOUND");
}

}  // namespace
}  // namespace bowerbird::app
