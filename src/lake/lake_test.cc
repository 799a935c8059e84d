#include "lake/lake.h"

#include <google/protobuf/util/message_differencer.h>

#include <fstream>
#include <set>

#include "bowerbird/v1/item.pb.h"
#include "bowerbird/v1/served.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "gmock/gmock.h"
#include "lake/lake_for_test.h"
#include "store/file.h"

namespace bowerbird::lake {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::HasSubstr;

void ExpectSame(const std::vector<log::Record>& found, const std::vector<log::Record>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].offset, expected[i].offset);
    EXPECT_EQ(found[i].append_time_us, expected[i].append_time_us);
    EXPECT_EQ(found[i].key, expected[i].key);
  }
}

TEST_F(LakeTest, EveryEventComesBackFieldForField) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 400; ++i) {
    v1::Event event;
    FillRandomly(&event, &random);
    clock_.Set(clock_.NowUs() + static_cast<int64_t>(random() % (kTestHourUs / 20)));
    Append(log::Topic::kEvents, static_cast<uint32_t>(i % 2), random() % 4 == 0 ? "another key" : event.user(),
           event.SerializeAsString());
    if (i % 100 == 0) {
      ASSERT_TRUE(lake_->CatchUp().ok());
    }
  }
  const auto added = lake_->CatchUp();
  ASSERT_TRUE(added.ok()) << added.status();
  const auto found = Records("events"), expected = LogRecords(log::Topic::kEvents);
  for (const uint32_t partition : {0u, 1u}) {
    ExpectSame(found.at(partition), expected.at(partition));
    for (size_t i = 0; i < found.at(partition).size(); ++i) {
      v1::Event was, is;
      ASSERT_TRUE(was.ParseFromString(expected.at(partition)[i].value));
      ASSERT_TRUE(is.ParseFromString(found.at(partition)[i].value));
      EXPECT_TRUE(MessageDifferencer::Equals(was, is)) << was.DebugString() << "\ncame back as\n" << is.DebugString();
    }
  }
}

TEST_F(LakeTest, WhatItDoesNotUnderstandComesBackByteForByte) {
  v1::Event event;
  event.set_type("click");
  event.set_user("u");
  // Field 1999 of a later version; and the same within an attribute's value.
  event.GetReflection()->MutableUnknownFields(&event)->AddVarint(1999, 7);
  const std::string later = event.SerializeAsString();
  v1::Event nested;
  nested.set_user("u");
  v1::Value& value = (*nested.mutable_attributes())["a"];
  value.GetReflection()->MutableUnknownFields(&value)->AddLengthDelimited(1999, "x");
  const std::vector<std::string> values = {std::string("\xff\xff not an event"), "", later, nested.SerializeAsString()};
  for (const std::string& bytes : values) Append(log::Topic::kEvents, 0, "u", bytes);
  ASSERT_TRUE(lake_->CatchUp().ok());
  const auto found = Records("events").at(0);
  ASSERT_EQ(found.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(found[i].value, values[i]) << i;
}

TEST_F(LakeTest, OtherTopicsKeepTheirRecordsWhole) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 50; ++i) {
    v1::ServedRecord served;
    FillRandomly(&served, &random);
    v1::CatalogRecord item;
    FillRandomly(&item, &random);
    v1::UserRecord user;
    FillRandomly(&user, &random);
    Append(log::Topic::kServed, 1, "u", served.SerializeAsString());
    Append(log::Topic::kCatalog, 0, "i", item.SerializeAsString());
    Append(log::Topic::kUsers, 1, "u", user.SerializeAsString());
  }
  Append(log::Topic::kCatalog, 0, "i", "\xff");
  ASSERT_TRUE(lake_->CatchUp().ok());
  for (const Table& table : LogTables()) {
    for (const auto& [partition, expected] : LogRecords(table.topic)) {
      const auto found = Records(table.name).at(partition);
      ExpectSame(found, expected);
      for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].value, expected[i].value) << table.name;
    }
  }
}

TEST_F(LakeTest, AFileHoldsOneAppendHour) {
  AppendEvent(0, "a", "1");
  clock_.Set(kTestStartUs + kTestHourUs);
  AppendEvent(1, "b", "2");
  AppendEvent(0, "a", "3");
  ASSERT_TRUE(lake_->CatchUp().ok());
  const std::vector<std::string> parts = Parts("events");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_THAT(parts[0], HasSubstr("/lake/events/date=2026-01-05/hour=08/part-"));
  EXPECT_THAT(parts[1], HasSubstr("/lake/events/date=2026-01-05/hour=09/part-"));
  EXPECT_EQ(*lake_->CatchUp(), 0u);
  EXPECT_EQ(Parts("events"), parts);
}

TEST_F(LakeTest, EveryRecordLandsOnceWhereverItIsStopped) {
  // The step that fails moves on by one until a whole round goes through; each failure is followed by a new start.
  std::set<std::string> stopped_at;
  uint64_t appended = 0;
  for (int failing = 0;; ++failing) {
    ASSERT_LT(failing, 1000);
    int step = 0;
    bool stopped = false;
    Reopen([&](std::string_view name) -> absl::Status {
      // Once stopped, nothing reaches the disk any more.
      if (!stopped && step++ != failing) return absl::OkStatus();
      stopped = true;
      stopped_at.insert(std::string(name));
      return absl::UnavailableError("stopped");
    });
    const auto work = [&]() -> absl::Status {
      for (int i = 0; i < 3; ++i) {
        AppendEvent(static_cast<uint32_t>(i % 2), "u", fmt::format("{}", appended++));
        const auto added = lake_->CatchUp();
        if (!added.ok()) return added.status();
      }
      // The hour is over, so that its files are joined, and those joined before are old enough to be deleted.
      clock_.Set(clock_.NowUs() + 2 * kTestHourUs);
      return lake_->Maintain({}).status();
    };
    const bool finished = work().ok();
    EXPECT_EQ(finished, !stopped);
    Reopen();
    ASSERT_TRUE(lake_->CatchUp().ok());
    const auto found = Records("events"), expected = LogRecords(log::Topic::kEvents);
    for (const auto& [partition, records] : expected) ExpectSame(found.at(partition), records);
    EXPECT_TRUE(lake_->Verify()->empty());
    if (finished) break;
    ASSERT_TRUE(lake_->Maintain({}).ok());  // so that the next round has no more to do than this one
  }
  EXPECT_EQ(stopped_at, (std::set<std::string>{"create", "rows", "close", "rename", "commit", "delete"}));
  // What lies in the folder is what the manifest names, and what it retired.
  std::set<std::string> on_disk;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_ + "/lake/events")) {
    if (entry.path().extension() == ".parquet") on_disk.insert(entry.path());
  }
  for (const std::string& part : Parts("events")) EXPECT_EQ(on_disk.erase(part), 1u) << part;
  const auto manifest = Manifest::FromJson(*store::ReadFile(dir_ + "/lake/events/manifest.json"), "");
  for (const RetiredPart& part : manifest->retired) on_disk.erase(dir_ + "/lake/events/" + part.path);
  EXPECT_THAT(on_disk, testing::IsEmpty());
}

TEST_F(LakeTest, JoinsTheFilesOfAnHourThatIsOver) {
  for (int i = 0; i < 5; ++i) {
    AppendEvent(0, "a", fmt::format("a{}", i));
    AppendEvent(1, "b", fmt::format("b{}", i));
    ASSERT_TRUE(lake_->CatchUp().ok());
  }
  EXPECT_EQ(Parts("events").size(), 5u);
  ASSERT_TRUE(lake_->Maintain({}).ok());
  EXPECT_EQ(Parts("events").size(), 5u) << "the hour is not over";
  const std::vector<std::string> former = Parts("events");
  clock_.Set(kTestStartUs + 2 * kTestHourUs);
  ASSERT_TRUE(lake_->Maintain({}).ok());
  ASSERT_EQ(Parts("events").size(), 1u);
  const auto found = Records("events"), expected = LogRecords(log::Topic::kEvents);
  for (const auto& [partition, records] : expected) ExpectSame(found.at(partition), records);
  // Whoever read the former manifest can go on, for a while.
  for (const std::string& part : former) EXPECT_TRUE(std::filesystem::exists(part));
  clock_.Set(clock_.NowUs() + TableStore::kRetiredUs);
  ASSERT_TRUE(lake_->Maintain({}).ok());
  for (const std::string& part : former) EXPECT_FALSE(std::filesystem::exists(part));
}

TEST_F(LakeTest, RetentionTakesOutWholeFiles) {
  AppendEvent(0, "a", "1");
  clock_.Set(kTestStartUs + 10 * kTestHourUs);
  AppendEvent(0, "a", "2");
  ASSERT_TRUE(lake_->CatchUp().ok());
  ASSERT_TRUE(lake_->Maintain({{"events", 5 * kTestHourUs}}).ok());
  const auto found = Records("events").at(0);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].offset, 1u);
  EXPECT_EQ(*lake_->CatchUp(), 0u) << "what was taken out does not come back";
}

TEST_F(LakeTest, SaysWhatTheLogDroppedBeforeItHadIt) {
  AppendEvent(0, "a", "1");
  ASSERT_TRUE(lake_->CatchUp().ok());
  for (int i = 0; i < 4; ++i) AppendEvent(0, "a", "2");
  ASSERT_TRUE(log_->Truncate(log::Topic::kEvents, 0, 3).ok());
  EXPECT_EQ(*lake_->CatchUp(), 2u);
  EXPECT_EQ(lake_->Status()->at(0).missed, 2u);
  EXPECT_EQ(lake_->Status()->at(0).rows, 3u);
}

class DamagedTest : public LakeTest {
 protected:
  DamagedTest() {
    for (int hour = 0; hour < 3; ++hour) {
      for (int i = 0; i < 2; ++i) {
        for (int n = 0; n < 100; ++n) AppendEvent(0, fmt::format("user {}", n), fmt::format("{} {} {}", hour, i, n));
        EXPECT_TRUE(lake_->CatchUp().ok());
      }
      clock_.Set(clock_.NowUs() + kTestHourUs);
    }
    parts_ = Parts("events");
    bytes_ = *store::ReadFile(parts_[2]);
  }
  void Write(std::string_view bytes) { std::ofstream(parts_[2], std::ios::binary) << bytes; }
  /// The one damaged file is named, and everything else goes on.
  void ExpectNamedAndGoesOn() {
    Reopen();
    const auto problems = lake_->Verify();
    ASSERT_EQ(problems->size(), 1u);
    EXPECT_THAT(problems->at(0), HasSubstr(parts_[2]));
    AppendEvent(0, "later", "later");
    EXPECT_EQ(*lake_->CatchUp(), 1u);
    const auto all = lake_->Files();
    ASSERT_TRUE(all.ok());
    EXPECT_EQ(all->at(0).damaged.size(), 1u);
    EXPECT_THAT(all->at(0).damaged.at(0), HasSubstr(parts_[2]));
    EXPECT_EQ(all->at(0).rows, 501u);
    clock_.Set(clock_.NowUs() + 5 * kTestHourUs);
    const auto maintained = lake_->Maintain({});
    ASSERT_TRUE(maintained.ok()) << maintained.status();
    ASSERT_EQ(maintained->size(), 1u);
    EXPECT_THAT(maintained->at(0), HasSubstr(parts_[2]));
    // Two files of each of the other two hours became one; of the damaged one's hour both are left as they are.
    EXPECT_EQ(lake_->Status()->at(0).parts, 5u);
  }
  std::vector<std::string> parts_;
  std::string bytes_;
};

TEST_F(DamagedTest, ATruncatedFileIsNamedAndTheRestGoesOn) {
  Write(std::string_view(bytes_).substr(0, bytes_.size() / 2));
  ExpectNamedAndGoesOn();
}

TEST_F(DamagedTest, AFlippedBitIsNamedAndTheRestGoesOn) {
  bytes_[bytes_.size() / 3] = static_cast<char>(bytes_[bytes_.size() / 3] ^ 16);
  Write(bytes_);
  ExpectNamedAndGoesOn();
}

TEST_F(DamagedTest, AMissingFileIsNamedAndTheRestGoesOn) {
  std::filesystem::remove(parts_[2]);
  ExpectNamedAndGoesOn();
}

TEST_F(LakeTest, AManifestOfANewerProgramIsRefused) {
  AppendEvent(0, "a", "1");
  ASSERT_TRUE(lake_->CatchUp().ok());
  const std::string path = dir_ + "/lake/events/manifest.json";
  std::string text = *store::ReadFile(path);
  text.replace(text.find("\"format\":1"), 10, "\"format\":2");
  std::ofstream(path) << text;
  Reopen();
  const auto added = lake_->CatchUp();
  EXPECT_EQ(added.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(added.status().message()), HasSubstr("newer"));
  EXPECT_EQ(*store::ReadFile(path), text) << "and left as it is";
}

TEST_F(LakeTest, AManifestThatIsNoneIsAnErrorThatNamesIt) {
  AppendEvent(0, "a", "1");
  ASSERT_TRUE(lake_->CatchUp().ok());
  const std::string path = dir_ + "/lake/events/manifest.json";
  const std::string text = *store::ReadFile(path);
  std::mt19937_64 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = text.substr(0, i % 3 == 0 ? random() % text.size() : text.size());
    if (!damaged.empty()) damaged[random() % damaged.size()] = static_cast<char>(random());
    std::ofstream(path, std::ios::binary) << damaged;
    Reopen();
    const auto status = lake_->Status();  // must not crash; what still reads as a manifest is one
    if (!status.ok()) {
      EXPECT_THAT(std::string(status.status().message()), HasSubstr("manifest.json"));
    }
  }
}

}  // namespace
}  // namespace bowerbird::lake
