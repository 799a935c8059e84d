#include "experiment/live/first_exposures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "base/hash.h"
#include "bowerbird/v1/experiment.pb.h"
#include "state/memory_log_for_test.h"

namespace bowerbird::experiment::live {
namespace {

namespace fs = std::filesystem;

uint64_t KeyOf(std::string_view unit, std::string_view id) {
  return base::CombineHash(base::Hash64(unit), base::Hash64(id));
}

class FirstExposuresTest : public testing::Test {
 protected:
  FirstExposuresTest() : folder_(fs::path(testing::TempDir()) / ("first_exposures_" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    Open();
  }
  ~FirstExposuresTest() override {
    first_.reset();
    fs::remove_all(folder_);
  }
  void Open() {
    first_.reset();
    auto opened = FirstExposures::Open(folder_.string(), [this](std::string_view id) { return over_.contains(id); });
    ASSERT_TRUE(opened.ok()) << opened.status();
    first_ = *std::move(opened);
  }
  void Append(const std::string& user, const std::string& experiment, const std::string& arm, int64_t time_us,
              bool forced = false) {
    v1::Exposure exposure;
    exposure.set_experiment(experiment);
    exposure.set_arm(arm);
    exposure.set_unit("user");
    exposure.set_unit_id(user);
    exposure.set_time_us(time_us);
    exposure.set_forced(forced);
    ASSERT_TRUE(log_.Append({{log::Topic::kExposures, KeyOf("user", user) % 4 == 0 ? 0u : 1u, user,
                              exposure.SerializeAsString()}})
                    .ok());
  }
  /// "experiment=arm" of the user, sorted.
  std::set<std::string> Of(const std::string& user) {
    std::set<std::string> all;
    for (const FirstExposure& one : first_->Of(KeyOf("user", user))) all.insert(one.experiment + "=" + one.arm);
    return all;
  }

  const fs::path folder_;
  state::MemoryLog log_{2};
  std::set<std::string, std::less<>> over_;
  std::unique_ptr<FirstExposures> first_;
};

using Arms = std::set<std::string>;

TEST_F(FirstExposuresTest, TheEarliestOfEachExperimentStays) {
  Append("ann", "a", "treatment", 10);
  Append("ann", "a", "control", 20);
  Append("ann", "b", "control", 5);
  Append("ben", "a", "control", 30, /*forced=*/true);
  ASSERT_TRUE(first_->Follow(log_, KeyOf).ok());
  EXPECT_EQ(Of("ann"), (Arms{"a=treatment", "b=control"}));
  EXPECT_EQ(Of("ben"), Arms());
  // A record that comes late tells of something earlier.
  Append("ann", "b", "treatment", 3);
  ASSERT_TRUE(first_->Follow(log_, KeyOf).ok());
  EXPECT_EQ(Of("ann"), (Arms{"a=treatment", "b=treatment"}));
}

TEST_F(FirstExposuresTest, WhatIsNotedCountsBeforeTheLogHasIt) {
  ASSERT_TRUE(first_->Note(KeyOf("user", "ann"), {"a", "control", 10}).ok());
  ASSERT_TRUE(first_->Note(KeyOf("user", "ann"), {"a", "treatment", 11}).ok());
  EXPECT_EQ(Of("ann"), Arms{"a=control"});
}

TEST_F(FirstExposuresTest, GoesOnWhereItStoppedAndIsMadeAgainFromTheLog) {
  Append("ann", "a", "treatment", 10);
  ASSERT_TRUE(first_->Follow(log_, KeyOf).ok());
  Open();
  EXPECT_EQ(Of("ann"), Arms{"a=treatment"});
  Append("cleo", "a", "control", 12);
  ASSERT_TRUE(first_->Follow(log_, KeyOf).ok());
  EXPECT_EQ(Of("cleo"), Arms{"a=control"});
  first_.reset();
  fs::remove_all(folder_);
  Open();
  EXPECT_EQ(Of("ann"), Arms());
  ASSERT_TRUE(first_->Follow(log_, KeyOf).ok());
  EXPECT_EQ(Of("ann"), Arms{"a=treatment"});
  EXPECT_EQ(Of("cleo"), Arms{"a=control"});
}

TEST_F(FirstExposuresTest, ReadsOnWhereTheLogHasDroppedItsFirstRecords) {
  for (int i = 0; i < 10; ++i) Append("ann", "e" + std::to_string(i), "control", i);
  for (const uint32_t p : {0u, 1u}) ASSERT_TRUE(log_.Truncate(log::Topic::kExposures, p, 5).ok());
  ASSERT_TRUE(first_->Follow(log_, KeyOf).ok());
  EXPECT_EQ(Of("ann").size(), 5u);
}

TEST_F(FirstExposuresTest, DamageIsNoReasonNotToStart) {
  Append("ann", "a", "treatment", 10);
  ASSERT_TRUE(first_->Follow(log_, KeyOf).ok());
  first_.reset();
  for (const fs::directory_entry& file : fs::directory_iterator(folder_)) {
    if (file.path().filename().string().starts_with("MANIFEST")) std::ofstream(file.path()) << "no manifest";
  }
  Open();
  ASSERT_NE(first_, nullptr);
  ASSERT_TRUE(first_->Follow(log_, KeyOf).ok());
  EXPECT_EQ(Of("ann"), Arms{"a=treatment"});
}

TEST_F(FirstExposuresTest, ForgetsAUnit) {
  Append("ann", "a", "treatment", 10);
  Append("ben", "a", "treatment", 10);
  ASSERT_TRUE(first_->Follow(log_, KeyOf).ok());
  const uint64_t ann = KeyOf("user", "ann");
  ASSERT_TRUE(first_->Forget({&ann, 1}).ok());
  EXPECT_EQ(Of("ann"), Arms());
  EXPECT_EQ(Of("ben"), Arms{"a=treatment"});
}

TEST_F(FirstExposuresTest, ARowHasABoundAndWhatIsOverGoesFirst) {
  const uint64_t ann = KeyOf("user", "ann");
  for (size_t i = 0; i < FirstExposures::kEntriesMax; ++i)
    ASSERT_TRUE(first_->Note(ann, {"e" + std::to_string(i), "control", static_cast<int64_t>(i)}).ok());
  over_ = {"e7"};
  ASSERT_TRUE(first_->Note(ann, {"new", "control", 1000}).ok());
  EXPECT_FALSE(Of("ann").contains("e7=control"));
  EXPECT_TRUE(Of("ann").contains("e0=control"));
  ASSERT_TRUE(first_->Note(ann, {"newer", "control", 1001}).ok());
  EXPECT_EQ(Of("ann").size(), FirstExposures::kEntriesMax);
  EXPECT_FALSE(Of("ann").contains("e0=control"));
}

}  // namespace
}  // namespace bowerbird::experiment::live
