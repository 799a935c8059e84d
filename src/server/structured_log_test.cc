#include "server/structured_log.h"

#include <gtest/gtest.h>

namespace bowerbird::server {
namespace {

struct Setting {
  const char* name;
  bool info, warning, error;
};

class LogLevelTest : public testing::TestWithParam<Setting> {
 protected:
  ~LogLevelTest() override { SetLogLevel("info"); }
};

TEST_P(LogLevelTest, EveryWordOfServerTomlIsObeyed) {
  ASSERT_TRUE(SetLogLevel(GetParam().name));
  EXPECT_EQ(Logs(LogLevel::kInfo), GetParam().info);
  EXPECT_EQ(Logs(LogLevel::kWarning), GetParam().warning);
  EXPECT_EQ(Logs(LogLevel::kError), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(All, LogLevelTest,
                         testing::Values(Setting{"trace", true, true, true}, Setting{"debug", true, true, true},
                                         Setting{"info", true, true, true}, Setting{"warn", false, true, true},
                                         Setting{"error", false, false, true}, Setting{"off", false, false, false}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(LogLevelNameTest, AnotherWordChangesNothing) {
  ASSERT_TRUE(SetLogLevel("warn"));
  EXPECT_FALSE(SetLogLevel("loud"));
  EXPECT_FALSE(Logs(LogLevel::kInfo));
  EXPECT_TRUE(Logs(LogLevel::kWarning));
  ASSERT_TRUE(SetLogLevel("info"));
}

}  // namespace
}  // namespace bowerbird::server
