#include "server/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace bowerbird::server {
namespace {

using testing::HasSubstr;

class AuditTest : public testing::Test {
 protected:
  AuditTest() { std::filesystem::remove(path_); }
  static AuditEntry Entry(const std::string& detail) {
    return {1'700'000'000'000'000, "key_1 (ops)", "shop", "POST /v1/keys", detail, 200};
  }
  const std::string path_ = testing::TempDir() + "/bowerbird_audit_test.log";
};

TEST_F(AuditTest, KeepsEveryEntryInOrderAcrossReopens) {
  for (const char* detail : {"a", "b \"quoted\"\n", "c"}) {
    ASSERT_TRUE(AuditLog(path_).Append(Entry(detail)).ok());
  }
  const auto entries = *AuditLog::Read(path_, 2);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].detail, "b \"quoted\"\n");
  EXPECT_EQ(entries[1].detail, "c");
  EXPECT_EQ(entries[1].time_us, 1'700'000'000'000'000);
  EXPECT_EQ(entries[1].who, "key_1 (ops)");
  EXPECT_EQ(entries[1].status, 200);
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(AuditTest, HalfALineOfACrashSpoilsNoOther) {
  ASSERT_TRUE(AuditLog(path_).Append(Entry("before")).ok());
  std::ofstream(path_, std::ios::app) << R"({"time":"2026-)";
  ASSERT_TRUE(AuditLog(path_).Append(Entry("after")).ok());
  const auto entries = *AuditLog::Read(path_, 10);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1].detail, "after");
}

TEST_F(AuditTest, AbsentIsEmptyAndUnwritableIsSaid) {
  EXPECT_TRUE(AuditLog::Read(path_, 10)->empty());
  EXPECT_THAT(std::string(AuditLog("/nonexistent/audit.log").Append(Entry("x")).message()), HasSubstr("/nonexistent"));
}

}  // namespace
}  // namespace bowerbird::server
